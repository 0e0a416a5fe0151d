/**
 * Where the addresses of a header field stand (RFC 5322 section 3.4), so that each can be replaced and every other byte kept. One pass;
 * what cannot be understood is no span. What a span says is read by `mail/address-list.ts`, as everywhere.
 */
import { parseAddressList } from '../mail/address-list.ts';
import type { Address } from '../ports.ts';

export interface AddressSpan {
  /** First character of the local part, and the one past the domain: the source route of "<@a:b@c>" is outside. */
  readonly start: number;
  readonly end: number;
  /** Domain '' where there is none. */
  readonly address: Address;
}

/** One character per byte; folds are still inside. At most `most` spans; the rest of the text is not looked at. */
export function addressSpans(value: string, most: number): AddressSpan[] {
  const spans: AddressSpan[] = [];
  let at = 0;
  // The words of the address so far that stand outside of angle brackets: start of the first, end of the last, and how many there are.
  let first = -1;
  let last = -1;
  let hasGap = false;
  let hasAngle = false;
  const finish = (): void => {
    if (first !== -1 && !hasAngle && !hasGap) push(spans, value, first, last);
    first = -1;
    hasGap = false;
    hasAngle = false;
  };
  while (at < value.length && spans.length < most) {
    const c = value[at]!;
    if (c === '(') at = commentEnd(value, at);
    else if (c === '<') {
      const end = angleEnd(value, at + 1);
      if (!hasAngle) inAngle(spans, value, at + 1, end);
      hasAngle = true;
      at = end + 1;
    } else if (c === ',' || c === ';') {
      finish();
      at += 1;
    } else if (c === ':') {
      // The name of a group.
      first = -1;
      hasGap = false;
      at += 1;
    } else if (isBlank(c)) at += 1;
    else {
      const end = c === '"' ? quotedEnd(value, at) : c === '[' ? literalEnd(value, at) : wordEnd(value, at);
      // "a . b @ c" is one address, "Joe User" is two words.
      if (first === -1) first = at;
      else if (last < at && !joins(value, last, at)) hasGap = true;
      // A quotation mark that nothing closes: who knows what was meant.
      if (c === '"' && (end === at + 1 || value[end - 1] !== '"')) hasGap = true;
      last = end;
      at = end;
    }
  }
  if (spans.length < most) finish();
  return spans;
}

const isBlank = (c: string): boolean => c === ' ' || c === '\t' || c === '\r' || c === '\n';
const isEnd = (c: string): boolean => isBlank(c) || c === '(' || c === '<' || c === '>' || c === ',' || c === ';' || c === ':' || c === '"' || c === '[';

function wordEnd(value: string, at: number): number {
  let end = at + 1;
  while (end < value.length && !isEnd(value[end]!)) end += 1;
  return end;
}

/** A dot or "@" on either side of the gap. */
function joins(value: string, before: number, after: number): boolean {
  const left = value[before - 1]!;
  const right = value[after]!;
  return left === '.' || left === '@' || right === '.' || right === '@';
}

function quotedEnd(value: string, at: number): number {
  for (let end = at + 1; end < value.length; end += 1) {
    if (value[end] === '\\') end += 1;
    else if (value[end] === '"') return end + 1;
  }
  return value.length;
}

function literalEnd(value: string, at: number): number {
  const end = value.indexOf(']', at);
  return end === -1 ? value.length : end + 1;
}

function commentEnd(value: string, at: number): number {
  let depth = 0;
  for (let end = at; end < value.length; end += 1) {
    const c = value[end];
    if (c === '\\') end += 1;
    else if (c === '(') depth += 1;
    else if (c === ')' && --depth === 0) return end + 1;
  }
  return value.length;
}

/** The ">" that ends what begins at `at`; the length when there is none. */
function angleEnd(value: string, at: number): number {
  let end = at;
  while (end < value.length) {
    const c = value[end]!;
    if (c === '>') return end;
    end = c === '"' ? quotedEnd(value, end) : c === '(' ? commentEnd(value, end) : c === '[' ? literalEnd(value, end) : end + 1;
  }
  return value.length;
}

function inAngle(spans: AddressSpan[], value: string, from: number, to: number): void {
  let start = from;
  while (start < to && isBlank(value[start]!)) start += 1;
  let end = to;
  while (end > start && isBlank(value[end - 1]!)) end -= 1;
  if (value[start] === '@') {
    const colon = value.indexOf(':', start);
    if (colon === -1 || colon >= end) return;
    start = colon + 1;
    while (start < end && isBlank(value[start]!)) start += 1;
  }
  if (start < end) push(spans, value, start, end);
}

function push(spans: AddressSpan[], value: string, start: number, end: number): void {
  const [item, ...more] = parseAddressList(value.slice(start, end), 2);
  if (item?.kind !== 'mailbox' || more.length > 0 || item.local === '' || item.name !== null || item.route !== null) return;
  spans.push({ start, end, address: { local: item.local, domain: item.domain } });
}
