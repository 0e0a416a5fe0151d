/** Which answers of a DNS list count: `127.0.0.[1..4;8]`, as after the = in `reject_rbl_client zone=filter`. */

type Field = readonly (readonly [low: number, high: number])[];
export interface RblFilter {
  /** `address` is a dotted quad. */
  matches(address: string): boolean;
}

/** Four fields parted by dots; a field is a number or, in brackets, numbers and ranges parted by semicolons. A sentence when it is wrong. */
export function parseRblFilter(text: string): RblFilter | string {
  // Brackets around the whole are for IPv6-like lists of the future in Postfix; they mean nothing.
  const whole = /^\[([^[\]]*\[.*)\]$/.exec(text)?.[1] ?? text;
  const fields: Field[] = [];
  let at = 0;
  for (let index = 0; index < 4; index += 1) {
    if (index > 0) {
      if (whole[at] !== '.') return `"${text}": needs four fields such as 127.0.0.[2..11]`;
      at += 1;
    }
    const end = whole[at] === '[' ? whole.indexOf(']', at) + 1 : numberEnd(whole, at);
    if (end <= at) return `"${text}": needs four fields such as 127.0.0.[2..11]`;
    const field = whole[at] === '[' ? parseSequence(whole.slice(at + 1, end - 1)) : parseSequence(whole.slice(at, end));
    if (field === null) return `"${text}": "${whole.slice(at, end)}" is no number from 0 to 255 and no list of numbers and ranges`;
    fields.push(field);
    at = end;
  }
  if (at !== whole.length) return `"${text}": something follows the fourth field`;
  return { matches: (address) => matchesFields(address, fields) };
}

function numberEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) at += 1;
  return at;
}

function parseSequence(text: string): Field | null {
  const field: [number, number][] = [];
  for (const member of text.split(';')) {
    const match = /^(\d{1,3})(?:\.\.(\d{1,3}))?$/.exec(member);
    if (match === null) return null;
    const low = Number(match[1]);
    const high = match[2] === undefined ? low : Number(match[2]);
    if (low > high || high > 255) return null;
    field.push([low, high]);
  }
  return field;
}

function matchesFields(address: string, fields: readonly Field[]): boolean {
  const parts = address.split('.');
  return parts.length === 4 && fields.every((field, index) => field.some(([low, high]) => Number(parts[index]) >= low && Number(parts[index]) <= high));
}
