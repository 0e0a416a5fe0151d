/** MAIL (RFC 5321 section 4.1.1.2) with SIZE, BODY, SMTPUTF8, RET, ENVID and AUTH. */
import { parsePath } from '../../mail/address.ts';
import type { Address, Reply } from '../../ports.ts';
import { isDigits } from '../../wire/smtp/command.ts';
import { LIMITS } from '../../wire/smtp/limits.ts';
import { parseParameters } from '../../wire/smtp/parameters.ts';
import { decodeXtext } from '../../wire/smtp/xtext.ts';
import { isOwnSender, notYours, OWNERS_UNKNOWN } from '../submission/sender.ts';
import { PATH_LOCAL_BYTES_MAX, pathStart } from './path.ts';
import { type Command, GREETED } from './service.ts';
import type { SmtpSession } from './session.ts';
import { newTransaction } from './transaction.ts';

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();

function mail(session: SmtpSession, rest: string): void {
  if (session.state !== 'greeted') {
    session.reply(503, '5.5.1', 'A transaction is under way; send RSET to end it');
    return;
  }
  if (session.mode === 'submission' && session.account === null) {
    session.reply(
      530,
      '5.7.0',
      session.connection.tls === null && session.context.authenticator.mechanisms(session.connection).length === 0
        ? 'Send STARTTLS first, then AUTH'
        : 'Authentication required',
    );
    return;
  }
  const at = pathStart(rest, 'FROM');
  const isUtf8 = at !== -1 && /(?:^| )SMTPUTF8(?: |$)/i.test(rest.slice(rest.lastIndexOf('>') + 1));
  const path = at === -1 ? null : parsePath(rest, at, { utf8: isUtf8, localBytes: PATH_LOCAL_BYTES_MAX });
  if (path === null) {
    if (at !== -1 && !isUtf8 && parsePath(rest, at, { utf8: true, localBytes: PATH_LOCAL_BYTES_MAX }) !== null)
      session.reply(550, '5.6.7', 'Such an address needs SMTPUTF8');
    else session.reply(501, at === -1 ? '5.5.4' : '5.1.7', 'Syntax: MAIL FROM:<address>');
    return;
  }
  const parameters = path.end === rest.length ? NO_PARAMETERS : rest[path.end] === ' ' ? parseParameters(rest, path.end) : null;
  if (parameters === null) {
    session.reply(501, '5.5.4', 'Malformed parameters');
    return;
  }
  const options = readParameters(session, parameters);
  if (options === null) return;
  if (session.transactions >= session.settings['smtp.transactionsMax']) {
    session.hangUp('4.5.3', 'Enough messages for one connection, connect again');
    return;
  }
  const sender = path.address === null ? null : qualified(path.address, session.settings.domain);
  const isOwn = isOwnSender(session, sender);
  const begun = { sender, senderText: rest.slice(at), ...options };
  if (isOwn === true) begin(session, begun, rest.slice(at, path.end));
  else
    session.settle(isOwn, (late) => {
      if (late === true) begin(session, begun, rest.slice(at, path.end));
      else refuse(session, rest.slice(at, path.end), late === false ? notYours(session) : OWNERS_UNKNOWN);
    });
}

type Begun = Omit<Parameters<typeof newTransaction>[0], 'id'>;

function begin(session: SmtpSession, begun: Begun, path: string): void {
  session.transactions += 1;
  session.transaction = newTransaction({ id: session.context.newId(), ...begun });
  session.settle(session.judge?.mail() ?? null, (ruled) => {
    if (ruled !== null) {
      session.reset();
      refuse(session, path, ruled);
      return;
    }
    session.state = 'mail';
    session.write('250 2.1.0 OK\r\n');
  });
}

function refuse(session: SmtpSession, sender: string, refusal: Reply): void {
  session.log('info', 'smtp.mail.refused', { sender, code: refusal.code, enhanced: refusal.enhanced });
  session.context.metrics.count('smtp.mail.refused', 1, refusal.enhanced);
  session.answer(refusal);
}

function qualified(address: Address, domain: string): Address {
  return address.domain === '' ? { local: address.local, domain } : address;
}

/** What the parameters ask for; null when one was refused (the reply is queued then). */
function readParameters(session: SmtpSession, parameters: ReadonlyMap<string, string>) {
  let declaredBytes = 0;
  let body: '7BIT' | '8BITMIME' = '7BIT';
  let smtputf8 = false;
  let envid: string | null = null;
  let ret: 'FULL' | 'HDRS' | null = null;
  const refuse = (code: number, enhanced: string, text: string): null => {
    session.reply(code, enhanced, text);
    return null;
  };
  for (const [keyword, value] of parameters) {
    const upper = value.toUpperCase();
    if (keyword === 'SIZE') {
      if (!isDigits(value) || value.length > 20) return refuse(501, '5.5.4', 'Malformed SIZE');
      declaredBytes = Number(value);
      const most = session.settings['smtp.messageBytesMax'];
      if (declaredBytes > most) return refuse(552, '5.3.4', `Message is larger than allowed here (${most} bytes at most)`);
    } else if (keyword === 'BODY') {
      if (upper !== '7BIT' && upper !== '8BITMIME') return refuse(501, '5.5.4', 'BODY is 7BIT or 8BITMIME');
      body = upper;
    } else if (keyword === 'SMTPUTF8') {
      if (value !== '') return refuse(501, '5.5.4', 'SMTPUTF8 takes no value');
      smtputf8 = true;
    } else if (keyword === 'RET') {
      if (upper !== 'FULL' && upper !== 'HDRS') return refuse(501, '5.5.4', 'RET is FULL or HDRS');
      ret = upper;
    } else if (keyword === 'ENVID') {
      envid = value.length > LIMITS.envidBytesMax ? null : decodeXtext(value);
      // Printable (RFC 3461 section 4.4): it is written into the header of a report.
      if (envid === null || !/^[\x20-\x7e]+$/.test(envid)) return refuse(501, '5.5.4', 'Malformed ENVID');
    } else if (keyword === 'AUTH') {
      // RFC 4954 section 5: taken and not believed; we never assert an identity to the next host.
      if (decodeXtext(value) === null) return refuse(501, '5.5.4', 'Malformed AUTH');
    } else return refuse(555, '5.5.4', `Unknown parameter ${keyword}`);
  }
  return { declaredBytes, body, smtputf8, dsn: { envid, ret } };
}

export const mailCommand: Command = {
  syntax: 'MAIL FROM:<address> [parameters]',
  from: GREETED,
  keywords: (session) => [
    `SIZE ${session.settings['smtp.messageBytesMax']}`,
    '8BITMIME',
    'SMTPUTF8',
    'DSN',
    `LIMITS MAILMAX=${session.settings['smtp.transactionsMax']} RCPTMAX=${session.settings[session.mode === 'lmtp' ? 'lmtp.recipientsMax' : 'smtp.recipientsMax']}`,
  ],
  run: mail,
};
