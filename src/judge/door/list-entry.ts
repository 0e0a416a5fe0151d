/**
 * One DNS list in Postfix's words: `zone[=filter][*weight]` (postscreen_dnsbl_sites), as
 * "zen.example.org=127.0.0.[2..11]*3" or "list.example.org=127.0.[0..255].[1..3]*-2". Text in, a compiled entry out.
 */
import { askableName } from '../../net/dns-message.ts';

export interface ListEntry {
  /** As written. */
  readonly text: string;
  readonly zone: string;
  /** Null: any answer within 127.0.0.0/8. */
  readonly filter: ListFilter | null;
  /** Negative for lists of the good. */
  readonly weight: number;
}

/** Does this IPv4 address (an answer of the list) fit? */
export type ListFilter = (address: string) => boolean;

/** One zone with all that is said about it: asked once, however many filters there are. */
export interface ListZone {
  readonly zone: string;
  readonly entries: readonly ListEntry[];
}

const WEIGHT_MAX = 1_000;

/** The entry, or a sentence that says what is wrong. */
export function parseListEntry(text: string): ListEntry | string {
  const match = /^([^=*\s]+)(?:=([^*\s]+))?(?:\*([+-]?\d{1,4}))?$/.exec(text.trim());
  if (match === null) return 'must be a list such as "bl.example.org", "bl.example.org=127.0.0.[2..11]" or "bl.example.org*2"';
  const zone = askableName(match[1]!);
  if (zone === null || zone.length > 180) return `"${match[1]}" is no name of a DNS zone`;
  const filter = match[2] === undefined ? null : parseListFilter(match[2]);
  if (typeof filter === 'string') return filter;
  const weight = match[3] === undefined ? 1 : Number(match[3]);
  if (Math.abs(weight) > WEIGHT_MAX) return `a weight lies between -${WEIGHT_MAX} and ${WEIGHT_MAX}`;
  return { text, zone, filter, weight };
}

/** `d.d.d.d`, where each d is a number or numbers and ranges in brackets: "127.0.0.[1..4;8]". The filter, or a sentence. */
export function parseListFilter(text: string): ListFilter | string {
  const wrong = `"${text}" is no filter such as 127.0.0.2 or 127.0.0.[1..4;8]`;
  const parts = /^([^.[\]]+|\[[^\]]*\])\.([^.[\]]+|\[[^\]]*\])\.([^.[\]]+|\[[^\]]*\])\.([^.[\]]+|\[[^\]]*\])$/.exec(text);
  if (parts === null) return wrong;
  const octets: Uint8Array[] = [];
  for (const part of parts.slice(1)) {
    const allowed = octetSet(part);
    if (allowed === null) return wrong;
    octets.push(allowed);
  }
  return (address) => {
    const values = address.split('.');
    return values.length === 4 && octets.every((allowed, i) => allowed[Number(values[i])] === 1);
  };
}

/** One flag for each value of an octet. */
function octetSet(part: string): Uint8Array | null {
  const allowed = new Uint8Array(256);
  const inner = part.startsWith('[') ? part.slice(1, -1) : part;
  for (const piece of part.startsWith('[') ? inner.split(';') : [inner]) {
    const range = /^(\d{1,3})(?:\.\.(\d{1,3}))?$/.exec(piece);
    if (range === null || (range[2] !== undefined && !part.startsWith('['))) return null;
    const first = Number(range[1]);
    const last = range[2] === undefined ? first : Number(range[2]);
    if (first > 255 || last > 255 || first > last) return null;
    allowed.fill(1, first, last + 1);
  }
  return allowed;
}

const zonesOf = new WeakMap<readonly string[], readonly ListZone[]>();

/** The zones that a list setting names, each once, in the order of their first mention; compiled once for each list object. Wrong entries are the declaration's business. */
export function listZones(setting: readonly string[]): readonly ListZone[] {
  let zones = zonesOf.get(setting);
  if (zones === undefined) {
    const byZone = new Map<string, ListEntry[]>();
    for (const text of setting) {
      const entry = parseListEntry(text);
      if (typeof entry === 'string') continue;
      const known = byZone.get(entry.zone);
      if (known === undefined) byZone.set(entry.zone, [entry]);
      else known.push(entry);
    }
    zones = [...byZone].map(([zone, entries]) => ({ zone, entries }));
    zonesOf.set(setting, zones);
  }
  return zones;
}
