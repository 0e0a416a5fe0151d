/** Quotas as mail servers keep them in tables. */

export interface Quota {
  /** 0 = no limit. */
  readonly bytes: number;
  /** 0 = no limit. */
  readonly messages: number;
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1024],
  ['m', 1024 ** 2],
  ['g', 1024 ** 3],
  ['t', 1024 ** 4],
]);

/**
 * "1048576" (bytes), "512M" and "2 GiB"; "10000000S,500C" (Maildir++: bytes and messages); "*:bytes=1048576", "*:storage=1024" and
 * "*:storage=1G:messages=500" (Dovecot's rule; storage counts KiB). Null for anything else.
 */
export function parseQuota(text: string): Quota | null {
  const trimmed = text.trim();
  const plain = sized(trimmed, 1);
  if (plain !== null) return { bytes: plain, messages: 0 };
  if (trimmed.startsWith('*:')) return rule(trimmed.slice(2));
  return maildir(trimmed);
}

function sized(text: string, factor: number): number | null {
  const match = /^(\d{1,15}) ?([bkmgt]?)(?:i?b)?$/i.exec(text);
  if (match === null) return null;
  const unit = match[2]!.toLowerCase();
  const value = Number(match[1]) * (unit === '' ? factor : UNITS.get(unit)!);
  return Number.isSafeInteger(value) ? value : null;
}

function rule(text: string): Quota | null {
  let bytes = 0;
  let messages = 0;
  for (const part of text.split(':')) {
    const equals = part.indexOf('=');
    const name = part.slice(0, equals).trim();
    const value = sized(part.slice(equals + 1).trim(), name === 'storage' ? 1024 : 1);
    if (equals < 0 || value === null) return null;
    if (name === 'storage' || name === 'bytes') bytes = value;
    else if (name === 'messages') messages = value;
    else return null;
  }
  return { bytes, messages };
}

function maildir(text: string): Quota | null {
  let bytes = 0;
  let messages = 0;
  for (const part of text.split(',')) {
    const match = /^(\d{1,15})([SC])$/.exec(part.trim());
    if (match === null) return null;
    if (match[2] === 'S') bytes = Number(match[1]);
    else messages = Number(match[1]);
  }
  return { bytes, messages };
}
