import { isIPv4, isIPv6 } from '#apis/meta/names.ts';
import { invalidFor, type Errors } from '#apis/meta/validation.ts';

/**
 * An address that endpoints may have: none that means "this machine" or a local group to whoever dials it. Without that rule a
 * pod could make the gateway call loopback services of its host.
 */
export function endpointAddressErrors(field: string, address: string): Errors {
  if (!isIPv4(address) && !isIPv6(address)) {
    return invalidFor(field, address, ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']);
  }
  const ip = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  const texts: string[] = [];
  if (ip === '0.0.0.0' || isZero(ip)) texts.push('may not be unspecified (0.0.0.0 or ::)');
  if (ip.startsWith('127.') || isLoopback6(ip)) texts.push('may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (ip.startsWith('169.254.') || /^fe[89ab]/.test(ip)) texts.push('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  if (ip.startsWith('224.0.0.') || /^ff[0-9a-f]2:/.test(ip)) {
    texts.push('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
  return invalidFor(field, address, texts);
}

const isZero = (ip: string): boolean => ip.includes(':') && /^[0:]+$/.test(ip);
const isLoopback6 = (ip: string): boolean => ip.includes(':') && /^[0:]+:0*1$/.test(ip);
