/** RCPT (RFC 5321 section 4.1.1.3) with NOTIFY and ORCPT (RFC 3461 section 4). */
import { formatAddress, parsePath } from '../../mail/address.ts';
import type { Address, DsnNotify, Recipient, Reply, Resolution } from '../../ports.ts';
import { refusalOf as routeRefusal } from '../../route/router.ts';
import { LIMITS } from '../../wire/smtp/limits.ts';
import { parseParameters } from '../../wire/smtp/parameters.ts';
import { decodeXtext } from '../../wire/smtp/xtext.ts';
import { PATH_LOCAL_BYTES_MAX, pathStart } from './path.ts';
import type { Command } from './service.ts';
import type { SmtpSession } from './session.ts';
import type { Transaction } from './transaction.ts';

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();

function rcpt(session: SmtpSession, rest: string): void {
  const transaction = session.transaction!;
  if (transaction.isChunked) {
    session.reply(503, '5.5.1', 'The message has begun already');
    return;
  }
  const at = pathStart(rest, 'TO');
  const path = at === -1 ? null : parsePath(rest, at, { utf8: transaction.smtputf8, localBytes: PATH_LOCAL_BYTES_MAX });
  if (path === null || path.address === null) {
    if (at !== -1 && !transaction.smtputf8 && parsePath(rest, at, { utf8: true, localBytes: PATH_LOCAL_BYTES_MAX }) !== null && path === null) {
      session.reply(553, '5.6.7', 'Such an address needs SMTPUTF8');
    } else session.reply(501, at === -1 ? '5.5.4' : '5.1.3', 'Syntax: RCPT TO:<address>');
    return;
  }
  const parameters = path.end === rest.length ? NO_PARAMETERS : rest[path.end] === ' ' ? parseParameters(rest, path.end) : null;
  const dsn = parameters === null ? null : readParameters(session, parameters);
  if (parameters === null) session.reply(501, '5.5.4', 'Malformed parameters');
  if (dsn === null) return;
  if (transaction.accepted.length >= session.settings[session.mode === 'lmtp' ? 'lmtp.recipientsMax' : 'smtp.recipientsMax']) {
    session.reply(452, '4.5.3', 'Too many recipients, send the rest in another transaction');
    return;
  }
  // <postmaster> without domain is ours (RFC 5321 section 4.5.1).
  const address = path.address.domain === '' ? { local: path.address.local, domain: session.settings.domain } : path.address;
  const key = `${address.local}@${address.domain}`;
  const known = transaction.byAddress.get(key);
  if (known === undefined) {
    session.settle(resolutionOf(session, address, transaction.sender), (resolution) => {
      if (resolution === null) refuse(session, address, TABLE_DOWN);
      else check(session, transaction, { address, resolution, ...dsn }, rest.slice(at), key);
    });
    return;
  }
  transaction.accepted.push(known);
  session.write('250 2.1.5 OK\r\n');
}

const TABLE_DOWN: Reply = { code: 451, enhanced: '4.3.0', text: 'A lookup table does not answer now, try again later' };

/** Where the address leads; null when a table that knows cannot be asked now. */
function resolutionOf(session: SmtpSession, address: Address, sender: Address | null): Resolution | null | Promise<Resolution | null> {
  const { router, directory } = session.context;
  if (router === undefined) return directory.resolve(address);
  try {
    const answer = router.resolve(address, sender);
    return answer instanceof Promise ? answer.catch((error: unknown) => tableDown(session, error)) : answer;
  } catch (error) {
    return tableDown(session, error);
  }
}

function tableDown(session: SmtpSession, error: unknown): null {
  session.log('error', 'route.unavailable', { cause: error instanceof Error ? error.message : String(error) });
  return null;
}

function check(session: SmtpSession, transaction: Transaction, recipient: Recipient, text: string, key: string): void {
  const { address, resolution } = recipient;
  session.settle(session.judge?.rcpt(recipient, text) ?? null, (ruled) => {
    // What the judge let pass may be relayed; what the directory does not know is unknown whatever the lists say.
    const refusal =
      ruled ??
      (session.judge !== null && resolution.kind === 'foreign' ? null : refusalOf(session, resolution, address)) ??
      session.context.intake.checkRecipient(recipient, transaction.declaredBytes);
    if (refusal !== null) {
      refuse(session, address, refusal);
      return;
    }
    transaction.byAddress.set(key, transaction.recipients.length);
    transaction.accepted.push(transaction.recipients.length);
    transaction.recipients.push(recipient);
    session.state = 'rcpt';
    session.write('250 2.1.5 OK\r\n');
  });
}

/** Why the directory's answer means no; null = accept. */
export function refusalOf(session: SmtpSession, resolution: Resolution, address: Address): Reply | null {
  switch (resolution.kind) {
    case 'deliver':
      // A user who has moved, "error:" in a table: told at once rather than by a report.
      return routeRefusal(resolution);
    case 'unknown':
      return resolution.reply ?? { code: 550, enhanced: '5.1.1', text: `<${formatAddress(address)}> No such user here; check the spelling` };
    case 'disabled':
      return { code: 550, enhanced: '5.2.1', text: 'This mailbox is disabled' };
    case 'loop':
      return { code: 550, enhanced: '5.4.6', text: 'The aliases of this address lead in a circle' };
    case 'foreign':
      return session.mode !== 'lmtp' && session.mayRelay() ? null : { code: 554, enhanced: '5.7.1', text: 'Relay access denied' };
  }
}

function refuse(session: SmtpSession, address: Address, refusal: Reply): void {
  const sender = session.transaction!.sender;
  session.context.metrics.count('smtp.rcpt.refused', 1, refusal.enhanced);
  session.log('info', 'smtp.rcpt.refused', {
    rcpt: formatAddress(address),
    sender: sender === null ? '' : formatAddress(sender),
    code: refusal.code,
    enhanced: refusal.enhanced,
  });
  session.answer(refusal);
}

/** null when a parameter was refused (the reply is queued then). */
function readParameters(session: SmtpSession, parameters: ReadonlyMap<string, string>): Pick<Recipient, 'notify' | 'orcpt'> | null {
  let notify: DsnNotify | null = null;
  let orcpt: string | null = null;
  for (const [keyword, value] of parameters) {
    if (keyword === 'NOTIFY') notify = parseNotify(value);
    else if (keyword === 'ORCPT') orcpt = parseOrcpt(value);
    else {
      session.reply(555, '5.5.4', `Unknown parameter ${keyword}`);
      return null;
    }
    if ((keyword === 'NOTIFY' ? notify : orcpt) === null) {
      session.reply(501, '5.5.4', `Malformed ${keyword}`);
      return null;
    }
  }
  return { notify, orcpt };
}

/** NEVER, or a list of SUCCESS, FAILURE, DELAY (RFC 3461 section 4.1). */
export function parseNotify(value: string): DsnNotify | null {
  const words = value.toLowerCase().split(',', 4);
  if (words.length === 1 && words[0] === 'never') return 'never';
  const notify = new Set<'success' | 'failure' | 'delay'>();
  for (const word of words) {
    if (word !== 'success' && word !== 'failure' && word !== 'delay') return null;
    notify.add(word);
  }
  return notify;
}

/** `addr-type ";" xtext` (RFC 3461 section 4.2), with the address decoded. */
export function parseOrcpt(value: string): string | null {
  if (value.length > LIMITS.orcptBytesMax) return null;
  const semicolon = value.indexOf(';');
  const type = value.slice(0, semicolon);
  if (semicolon <= 0 || !/^[A-Za-z0-9-]+$/.test(type)) return null;
  const decoded = decodeXtext(value.slice(semicolon + 1));
  // Control characters would end up in the header of a report.
  return decoded === null || decoded === '' || /[\x00-\x1f\x7f]/.test(decoded) ? null : `${type.toLowerCase()};${decoded}`;
}

export const rcptCommand: Command = { syntax: 'RCPT TO:<address> [parameters]', from: ['mail', 'rcpt'], run: rcpt };
