/** struct winsize (ioctl_tty(2)). */
export function windowSize({ width, height }: { readonly width: number; readonly height: number }): Buffer {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(Math.max(0, Math.min(0xffff, height)), 0);
  size.writeUInt16LE(Math.max(0, Math.min(0xffff, width)), 2);
  return size;
}
