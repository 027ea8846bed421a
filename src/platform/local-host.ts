/** The address under which this machine reaches a listener itself. */
export function localAddress(listen: string): string {
  if (listen === '0.0.0.0') return '127.0.0.1';
  return listen === '::' ? '::1' : listen;
}

/** The same as the host of a URL. */
export function localHost(listen: string): string {
  const address = localAddress(listen);
  return address.includes(':') ? `[${address}]` : address;
}
