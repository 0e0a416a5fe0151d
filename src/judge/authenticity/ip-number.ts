/** IP addresses as numbers, for comparing many networks quickly. */
import ipaddr from 'ipaddr.js';

export type IpNumber =
  | { readonly kind: 4; readonly value: number; readonly text: string }
  | { readonly kind: 6; readonly groups: readonly number[]; readonly text: string };

/** Four decimal parts as an unsigned number, or null. */
export function parseIp4(text: string): number | null {
  let value = 0;
  let part = -1;
  let parts = 0;
  for (let i = 0; i <= text.length; i += 1) {
    const c = i === text.length ? 0x2e : text.charCodeAt(i);
    if (c === 0x2e) {
      if (part < 0 || parts === 4) return null;
      value = value * 256 + part;
      parts += 1;
      part = -1;
    } else {
      if (c < 0x30 || c > 0x39) return null;
      if (part === 0) return null; // "010" is octal to some
      part = part < 0 ? c - 0x30 : part * 10 + c - 0x30;
      if (part > 255) return null;
    }
  }
  return parts === 4 ? value : null;
}

/** Eight groups of 16 bits, or null. */
export function parseIp6(text: string): readonly number[] | null {
  return text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text).parts : null;
}

/** An address of either kind; IPv4 within IPv6 is IPv4 (RFC 7208 section 5). Null when it is none. */
export function parseIpNumber(text: string): IpNumber | null {
  const value = parseIp4(text);
  if (value !== null) return { kind: 4, value, text };
  const groups = parseIp6(text);
  if (groups === null) return null;
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    const mapped = groups[6]! * 65536 + groups[7]!;
    return { kind: 4, value: mapped, text: `${mapped >>> 24}.${(mapped >>> 16) & 255}.${(mapped >>> 8) & 255}.${mapped & 255}` };
  }
  return { kind: 6, groups, text };
}

export function isInNetwork4(value: number, network: number, bits: number): boolean {
  return bits === 0 || (value ^ network) >>> (32 - bits) === 0;
}

export function isInNetwork6(groups: readonly number[], network: readonly number[], bits: number): boolean {
  const whole = bits >> 4;
  for (let i = 0; i < whole; i += 1) if (groups[i] !== network[i]) return false;
  const rest = bits & 15;
  return rest === 0 || (groups[whole]! ^ network[whole]!) >>> (16 - rest) === 0;
}

/** The address in the dot format of macros (RFC 7208 section 7.3, letter "i"). */
export function dotted(ip: IpNumber): string {
  if (ip.kind === 4) return ip.text;
  return ip.groups.flatMap((group) => [...group.toString(16).toUpperCase().padStart(4, '0')]).join('.');
}

/** The address as people write it (letter "c"). */
export function readable(ip: IpNumber): string {
  return ip.kind === 4 ? ip.text : new ipaddr.IPv6([...ip.groups]).toString();
}
