/** A DMARC policy record (RFC 7489 section 6.3, np= of RFC 9091). */
import { AUTHENTICITY_LIMITS } from './limits.ts';
import { parseTags } from './tags.ts';

export type Policy = 'none' | 'quarantine' | 'reject';

export interface DmarcRecord {
  readonly p: Policy;
  /** With the defaults filled in: sp= is p=, np= is sp=. */
  readonly sp: Policy;
  readonly np: Policy;
  readonly hasNp: boolean;
  readonly adkim: 'r' | 's';
  readonly aspf: 'r' | 's';
  readonly pct: number;
  readonly fo: string;
  /** As written, with any "!10m". */
  readonly rua: readonly string[];
  readonly ruf: readonly string[];
}

const URIS_MOST = 10;

export function isDmarcRecord(text: string): boolean {
  return /^v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/.test(text);
}

/** The record, or a short phrase that says what is wrong. A record without a usable p= that asks for reports counts as p=none. */
export function parseDmarc(text: string): DmarcRecord | string {
  if (text.length > AUTHENTICITY_LIMITS.recordBytes) return 'record is too long';
  const list = parseTags(text);
  if (typeof list === 'string') return list;
  const tags = new Map<string, string>();
  for (const [name, value] of list.tags) tags.set(name.toLowerCase(), value);
  const rua = uris(tags.get('rua'));
  const p = policy(tags.get('p'));
  const sp = policy(tags.get('sp'));
  const np = policy(tags.get('np'));
  const isWrong = p === null || (sp === null && tags.has('sp'));
  if (isWrong && rua.length === 0) return p === null ? 'p= is missing or wrong' : 'sp= is wrong';
  const own = isWrong ? 'none' : p!;
  const below = isWrong ? 'none' : (sp ?? own);
  const pct = tags.get('pct');
  return {
    p: own,
    sp: below,
    np: isWrong ? 'none' : (np ?? below),
    hasNp: np !== null,
    adkim: tags.get('adkim')?.toLowerCase() === 's' ? 's' : 'r',
    aspf: tags.get('aspf')?.toLowerCase() === 's' ? 's' : 'r',
    pct: pct !== undefined && /^\d{1,3}$/.test(pct) && Number(pct) <= 100 ? Number(pct) : 100,
    fo: (tags.get('fo') ?? '0').toLowerCase().slice(0, 20),
    rua,
    ruf: uris(tags.get('ruf')),
  };
}

function policy(text: string | undefined): Policy | null {
  const word = text?.toLowerCase();
  return word === 'none' || word === 'quarantine' || word === 'reject' ? word : null;
}

function uris(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  return text
    .split(',')
    .map((uri) => uri.trim())
    .filter((uri) => /^[a-z][a-z0-9+.-]*:[\x21-\x7e]{1,300}$/i.test(uri))
    .slice(0, URIS_MOST);
}
