/** An SPF record (RFC 7208 sections 4.5, 4.6, 5 and 6) compiled for evaluation. The whole record is checked first: any error anywhere is a permerror. */
import { parseIp4, parseIp6 } from './ip-number.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import { type MacroString, parseDomainSpec, parseMacros } from './spf-macro.ts';

export type SpfQualified = 'pass' | 'fail' | 'softfail' | 'neutral';

export interface SpfMechanism {
  readonly kind: 'all' | 'include' | 'a' | 'mx' | 'ptr' | 'exists' | 'ip4' | 'ip6';
  readonly result: SpfQualified;
  /** As written, for reports. */
  readonly text: string;
  /** Null: the current domain. */
  readonly domain: MacroString | null;
  readonly bits4: number;
  readonly bits6: number;
  /** Of ip4: the address as a number. */
  readonly network4: number;
  /** Of ip6: eight groups. */
  readonly network6: readonly number[] | null;
}

export interface SpfRecord {
  readonly mechanisms: readonly SpfMechanism[];
  readonly redirect: MacroString | null;
  readonly explanation: MacroString | null;
}

const QUALIFIERS: ReadonlyMap<string, SpfQualified> = new Map([
  ['+', 'pass'],
  ['-', 'fail'],
  ['~', 'softfail'],
  ['?', 'neutral'],
]);
const TERM = /^([-+?~]?)([a-z][a-z0-9\-_.]*)(.*)$/is;
/** dual-cidr-length at the end of an argument. */
const CIDR = /^(.*?)(?:\/(\d+))?(?:\/\/(\d+))?$/s;
const KINDS: ReadonlySet<string> = new Set(['all', 'include', 'a', 'mx', 'ptr', 'exists', 'ip4', 'ip6']);

/** "v=spf1" followed by a space or the end. */
export function isSpfRecord(text: string): boolean {
  return text.length >= 6 && text.slice(0, 6).toLowerCase() === 'v=spf1' && (text.length === 6 || text.charCodeAt(6) === 0x20);
}

/** The compiled record, or a short phrase that says what is wrong with it. */
export function parseSpf(text: string): SpfRecord | string {
  if (text.length > AUTHENTICITY_LIMITS.recordBytes) return 'record is too long';
  const mechanisms: SpfMechanism[] = [];
  let redirect: MacroString | null = null;
  let explanation: MacroString | null = null;
  const terms = text.slice(6).split(' ');
  if (terms.length > AUTHENTICITY_LIMITS.spfTerms) return 'record has too many terms';
  for (const term of terms) {
    if (term === '') continue;
    const match = TERM.exec(term);
    if (match === null) return `syntax error at ${quoted(term)}`;
    const [, qualifier, written, rest] = match as unknown as [string, string, string, string];
    const name = written.toLowerCase();
    if (rest.startsWith('=')) {
      if (qualifier !== '') return `syntax error at ${quoted(term)}`;
      if (name === 'redirect' || name === 'exp') {
        const spec = parseDomainSpec(rest.slice(1));
        if (spec === null) return `bad domain in ${quoted(term)}`;
        if ((name === 'redirect' ? redirect : explanation) !== null) return `${name}= stands twice`;
        if (name === 'redirect') redirect = spec;
        else explanation = spec;
      } else if (parseMacros(rest.slice(1), false) === null) return `syntax error at ${quoted(term)}`;
      continue;
    }
    if (!KINDS.has(name)) return `unknown mechanism ${quoted(term)}`;
    const mechanism = parseMechanism(name as SpfMechanism['kind'], rest, QUALIFIERS.get(qualifier) ?? 'pass', term);
    if (mechanism === null) return `bad argument in ${quoted(term)}`;
    mechanisms.push(mechanism);
  }
  return { mechanisms, redirect, explanation };
}

function parseMechanism(kind: SpfMechanism['kind'], rest: string, result: SpfQualified, text: string): SpfMechanism | null {
  const plain = { kind, result, text, domain: null, bits4: 32, bits6: 128, network4: 0, network6: null };
  switch (kind) {
    case 'all':
      return rest === '' ? plain : null;
    case 'include':
    case 'exists': {
      const domain = rest.startsWith(':') ? parseDomainSpec(rest.slice(1)) : null;
      return domain === null ? null : { ...plain, domain };
    }
    case 'ptr': {
      if (rest === '') return plain;
      const domain = rest.startsWith(':') ? parseDomainSpec(rest.slice(1)) : null;
      return domain === null ? null : { ...plain, domain };
    }
    case 'a':
    case 'mx': {
      const match = CIDR.exec(rest)!;
      const bits4 = prefixLength(match[2], 32);
      const bits6 = prefixLength(match[3], 128);
      if (bits4 < 0 || bits6 < 0) return null;
      if (match[1] === '') return { ...plain, bits4, bits6 };
      const domain = match[1]!.startsWith(':') ? parseDomainSpec(match[1]!.slice(1)) : null;
      return domain === null ? null : { ...plain, domain, bits4, bits6 };
    }
    case 'ip4': {
      const match = /^:([0-9.]+)(?:\/(\d+))?$/.exec(rest);
      const network4 = match === null ? null : parseIp4(match[1]!);
      const bits4 = prefixLength(match?.[2], 32);
      return network4 === null || bits4 < 0 ? null : { ...plain, network4, bits4 };
    }
    case 'ip6': {
      const match = /^:([0-9a-f:.]+)(?:\/(\d+))?$/i.exec(rest);
      const network6 = match === null ? null : parseIp6(match[1]!);
      const bits6 = prefixLength(match?.[2], 128);
      return network6 === null || bits6 < 0 ? null : { ...plain, network6, bits6 };
    }
  }
}

/** "0", or digits without a leading zero, up to `most`; -1 when wrong. */
function prefixLength(digits: string | undefined, most: number): number {
  if (digits === undefined) return most;
  if (digits.length > 3 || (digits.length > 1 && digits.startsWith('0'))) return -1;
  const bits = Number(digits);
  return bits <= most ? bits : -1;
}

function quoted(term: string): string {
  return `"${term.slice(0, 60).replace(/[^\x21-\x7e]/g, '?')}"`;
}
