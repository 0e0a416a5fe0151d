/** Sendmail's tables: virtusertable, genericstable and mailertable. Keys and values; pure. */
import { extensionAt } from '../directory/tables/search.ts';
import type { Address } from '../ports.ts';

/** user+detail@domain, user++@domain (any detail), user+*@domain, user@domain, ++@domain, +*@domain, @domain. */
export function virtuserKeys(address: Address, delimiters: string): string[] {
  const local = address.local.toLowerCase();
  const domain = address.domain.toLowerCase();
  const at = extensionAt(local, delimiters);
  const keys = [`${local}@${domain}`];
  if (at === -1) keys.push(`${local}+*@${domain}`, `+*@${domain}`, `@${domain}`);
  else {
    const user = local.slice(0, at);
    const isEmpty = at === local.length - 1;
    if (!isEmpty) keys.push(`${user}++@${domain}`);
    keys.push(`${user}+*@${domain}`, `${user}@${domain}`);
    if (!isEmpty) keys.push(`++@${domain}`);
    keys.push(`+*@${domain}`, `@${domain}`);
  }
  return keys;
}

/** %1 is the user, %2 the detail, %3 the detail with its delimiter, %0 the whole local part. */
export function expandVirtuser(value: string, address: Address, delimiters: string): string {
  const at = extensionAt(address.local, delimiters);
  const user = at === -1 ? address.local : address.local.slice(0, at);
  const plus = at === -1 ? '' : address.local.slice(at);
  return value.replaceAll(/%([0-3])/g, (_, digit: string) => [address.local, user, plus.slice(1), plus][Number(digit)]!);
}

/** user@domain, then (with the user's detail left out) user@domain, user, @domain: genericstable. */
export function genericsKeys(address: Address, delimiters: string): string[] {
  const local = address.local.toLowerCase();
  const domain = address.domain.toLowerCase();
  const at = extensionAt(local, delimiters);
  const bare = at === -1 ? null : local.slice(0, at);
  return [`${local}@${domain}`, ...(bare === null ? [] : [`${bare}@${domain}`]), local, ...(bare === null ? [] : [bare]), `@${domain}`];
}

/** The domain, ".parent" for each of its parents, "." for all. */
export function mailerKeys(domain: string): { key: string; rest: string }[] {
  const name = domain.toLowerCase();
  const keys = [{ key: name, rest: '' }];
  for (let dot = name.indexOf('.', 1); dot !== -1; dot = name.indexOf('.', dot + 1)) keys.push({ key: name.slice(dot), rest: name.slice(0, dot) });
  keys.push({ key: '.', rest: name });
  return keys;
}

/** "mailer:host" as transport and nexthop in our words; null when there is no colon. `rest` stands for %1. */
export function mailerValue(value: string, rest: string): { channel: string; nexthop: string } | null {
  const text = value.trim().replaceAll('%1', rest);
  const colon = text.indexOf(':');
  if (colon <= 0) return null;
  const mailer = text.slice(0, colon).toLowerCase();
  const host = text.slice(colon + 1).trim();
  if (mailer === 'error') {
    const { enhanced, text: words } = errorValue(host);
    return { channel: enhanced.startsWith('4') ? 'retry' : 'error', nexthop: `${enhanced} ${words}` };
  }
  if (/^(?:e?smtp|smtp8|dsmtp|relay)$/.test(mailer)) return { channel: mailer === 'relay' ? 'relay' : 'smtp', nexthop: hostList(host) };
  return { channel: mailer, nexthop: host };
}

/** Sendmail parts hosts that are tried one after the other by colons; brackets may hold colons of their own. */
function hostList(text: string): string {
  return text.match(/\[[^\]]*\]|[^:,\s]+/g)?.join(', ') ?? '';
}

/** sysexits names after "error:", and their enhanced codes. */
const ERRORS: ReadonlyMap<string, string> = new Map([
  ['nouser', '5.1.1'],
  ['nohost', '5.1.2'],
  ['unavailable', '5.2.0'],
  ['tempfail', '4.4.7'],
  ['protocol', '5.5.0'],
  ['config', '4.3.5'],
  ['usage', '5.5.4'],
]);

/** What follows "error:": "nouser text", "5.7.1:550 text", "5.1.1 text", "text". */
export function errorValue(value: string): { enhanced: string; text: string } {
  const match = /^(?:([45]\.\d{1,3}\.\d{1,3})|([A-Za-z]+))?[: \t]*(.*)$/.exec(value.trim())!;
  let enhanced = match[1];
  let text = match[3]!;
  if (match[2] !== undefined) {
    enhanced = ERRORS.get(match[2].toLowerCase());
    if (enhanced === undefined) text = value.trim();
  }
  const code = /^([45])\d\d(?:[ \t]+|$)/.exec(text);
  if (code !== null) text = text.slice(code[0].length);
  return { enhanced: enhanced ?? `${code?.[1] ?? '5'}.0.0`, text: text.replaceAll(/^"|"$/g, '').trim() || 'Address is undeliverable' };
}
