/**
 * The Sender Rewriting Scheme: mail that is sent on in a stranger's name gets a sender address of ours, so that SPF passes at the next
 * host, from which reports find their way back. Pure; keys and the time are given.
 *
 *   SRS0=HHHHHH=TT=domain=local@us      the sender was local@domain; TT is the day, H a keyed hash over the rest
 *   SRS1=HHHHHH=host==HHHH=TT=…@us      the sender was an SRS0 address of `host`; the report goes there, not back through the whole chain
 *   SRS0=HHHHHH=TT=+=TOKEN@us           the address would be longer than local parts may be: it is kept under TOKEN (`SrsNote`)
 *
 * Everything is compared without case, as servers on the way turn local parts to lower case.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { formatAddress, parseMailbox } from '../mail/address.ts';
import { ADDRESS_LIMITS } from '../mail/limits.ts';
import type { Address } from '../ports.ts';

/** Newest first: the first makes addresses, all of them are accepted. */
export type SrsKeys = readonly Uint8Array[];

/** An address too long to be carried in an address: to be kept until `until` (Unix milliseconds). */
export interface SrsNote {
  readonly token: string;
  readonly address: Address;
  readonly until: number;
}

export interface Rewritten {
  readonly address: Address;
  /** To be stored before the message leaves; null mostly. */
  readonly note: SrsNote | null;
}

export interface SrsPolicy {
  readonly keys: SrsKeys;
  /** Days for which reports are taken. At most 1000: the day is known modulo 1024. */
  readonly days: number;
  readonly now: number;
}

const DAY_MS = 86_400_000;
const DAYS_ROUND = 1024;
/** 30 bits: a forged address needs half a billion tries, and only leads one message to one address. */
const HASH_CHARACTERS = 6;
const TOKEN_CHARACTERS = 16;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

export function isSrs(address: Address): boolean {
  return /^srs[01][=+-]/i.test(address.local);
}

/** The sender for a message that is sent on. SRS addresses of other hosts become SRS1; null when there is no key. */
export function rewriteSender(sender: Address, domain: string, { keys, days, now }: SrsPolicy): Rewritten | null {
  const key = keys[0];
  if (key === undefined) return null;
  const local = chained(sender, key) ?? fresh(sender, key, now);
  if (Buffer.byteLength(local) <= ADDRESS_LIMITS.localBytes) return { address: { local, domain }, note: null };
  const token = hash(key, formatAddress(sender).toLowerCase(), TOKEN_CHARACTERS);
  return {
    address: { local: stamped(key, day(now), NOTED, token), domain },
    note: { token, address: sender, until: now + (days + 2) * DAY_MS },
  };
}

/** Never a domain: says that the local part is a token. */
const NOTED = '+';

function fresh(sender: Address, key: Uint8Array, now: number): string {
  return stamped(key, day(now), sender.domain, sender.local);
}

function stamped(key: Uint8Array, stamp: string, domain: string, local: string): string {
  return `SRS0=${hash(key, `${stamp}=${domain}=${local}`, HASH_CHARACTERS)}=${stamp}=${domain}=${local}`;
}

/** The SRS1 form for a sender that was rewritten elsewhere; null for any other. */
function chained(sender: Address, key: Uint8Array): string | null {
  if (/^srs0[=+-]/i.test(sender.local)) {
    const rest = `${sender.domain}=${sender.local.slice(4)}`;
    return `SRS1=${hash(key, rest, HASH_CHARACTERS)}=${rest}`;
  }
  const first = /^srs1[=+-][^=]{1,64}=([^=@\s]{1,255}=[=+-].*)$/is.exec(sender.local);
  return first === null ? null : `SRS1=${hash(key, first[1]!, HASH_CHARACTERS)}=${first[1]}`;
}

/**
 * Where a report to an address of ours goes: the sender before; 'expired', 'forged', or null when it is no SRS address. `noted` finds the
 * address kept under a token.
 */
export function reverse(address: Address, policy: SrsPolicy, noted?: (token: string) => Address | null): Address | 'expired' | 'forged' | null {
  if (!isSrs(address)) return null;
  const { local } = address;
  const zero = /^srs0[=+-]([a-z2-7]{6})=([a-z2-7]{2})=([^=]{1,255})=(.+)$/is.exec(local);
  if (zero !== null) {
    const [, given, stamp, domain, user] = zero as unknown as [string, string, string, string, string];
    if (!isGenuine(policy.keys, given, `${stamp}=${domain}=${user}`)) return 'forged';
    if (age(stamp, policy.now) > policy.days) return 'expired';
    // The hash held, so a token that nobody knows has outlived its note.
    if (domain === NOTED) return noted?.(user.toLowerCase()) ?? 'expired';
    return checked(user, domain);
  }
  const one = /^srs1[=+-]([a-z2-7]{6})=(([^=]{1,255})=([=+-].+))$/is.exec(local);
  if (one === null) return 'forged';
  const [, given, rest, host, tail] = one as unknown as [string, string, string, string, string];
  return isGenuine(policy.keys, given, rest) ? checked(`SRS0${tail}`, host) : 'forged';
}

/** We made it, so it parses; a key that leaked must not make anything else of it. */
function checked(local: string, domain: string): Address | 'forged' {
  const found = parseMailbox(formatAddress({ local, domain: domain.toLowerCase() }), { utf8: true, localBytes: ADDRESS_LIMITS.mailboxBytes });
  return found ?? 'forged';
}

function isGenuine(keys: SrsKeys, given: string, text: string): boolean {
  const wanted = Buffer.from(given.toLowerCase());
  return keys.some((key) => timingSafeEqual(Buffer.from(hash(key, text, HASH_CHARACTERS)), wanted));
}

/** HMAC-SHA-256 over the text in lower case, the first five bits for each character. */
function hash(key: Uint8Array, text: string, characters: number): string {
  const digest = createHmac('sha256', key).update(text.toLowerCase()).digest();
  let out = '';
  let bits = 0;
  let held = 0;
  for (let at = 0; out.length < characters; at += 1) {
    held = ((held << 8) | digest[at]!) & 0xfff;
    bits += 8;
    while (bits >= 5 && out.length < characters) {
      bits -= 5;
      out += BASE32[(held >> bits) & 31]!;
    }
  }
  return out;
}

/** The day modulo 1024 as two characters. */
function day(now: number): string {
  const value = Math.floor(now / DAY_MS) % DAYS_ROUND;
  return BASE32[value >> 5]! + BASE32[value & 31]!;
}

/** Days since the stamp; a day ahead (another server's clock) is 0. */
function age(stamp: string, now: number): number {
  const then = BASE32.indexOf(stamp[0]!.toLowerCase()) * 32 + BASE32.indexOf(stamp[1]!.toLowerCase());
  const days = (Math.floor(now / DAY_MS) - then + DAYS_ROUND) % DAYS_ROUND;
  return days === DAYS_ROUND - 1 ? 0 : days;
}
