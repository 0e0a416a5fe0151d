/** EHLO, HELO and LHLO (RFC 5321 section 4.1.1.1, RFC 2033 section 4.1). */
import { formatReply } from '../../wire/smtp/reply.ts';
import { ANY, type Command } from './service.ts';
import type { SmtpSession } from './session.ts';

const HELO_CHARACTERS_MAX = 255;

/** The client's name as it may stand in a Received field, or null. Not checked against DNS: that is policy. */
function heloName(rest: string): string | null {
  const name = rest.split(' ', 1)[0]!;
  if (name === '' || name.length > HELO_CHARACTERS_MAX) return null;
  for (let i = 0; i < name.length; i += 1) {
    const code = name.charCodeAt(i);
    // Nothing that could close a comment or a path in the Received field. U-labels are fine (RFC 6531 section 3.7.1).
    if (code <= 32 || code === 127 || (code >= 128 && code < 160) || '()<>"\\;,@'.includes(name[i]!)) return null;
  }
  return name;
}

function hello(session: SmtpSession, rest: string, isEsmtp: boolean): void {
  const name = heloName(rest);
  if (name === null) {
    session.reply(501, '5.5.4', `Give your host name, as in ${session.mode === 'lmtp' ? 'LHLO' : isEsmtp ? 'EHLO' : 'HELO'} mail.example.org`);
    return;
  }
  // EHLO in a transaction is RSET too (RFC 5321 section 4.1.4).
  session.reset();
  session.helo = name;
  session.isEsmtp = isEsmtp;
  session.settle(session.judge?.helo() ?? null, (refusal) => {
    if (refusal !== null) {
      session.helo = null;
      session.state = 'start';
      session.log('info', 'smtp.helo.refused', { helo: name, code: refusal.code, enhanced: refusal.enhanced });
      session.answer(refusal);
    } else greet(session, name, isEsmtp);
  });
}

function greet(session: SmtpSession, name: string, isEsmtp: boolean): void {
  session.state = 'greeted';
  const { hostname } = session.settings;
  session.write(isEsmtp ? formatReply(250, '', `${hostname} greets ${name}\n${keywords(session).join('\n')}`) : formatReply(250, '', hostname));
}

/** Every line after the first, from the rows of the table. */
function keywords(session: SmtpSession): string[] {
  const lines: string[] = [];
  for (const command of session.service.commands.values()) {
    if (command.keywords === undefined || (command.modes !== undefined && !command.modes.includes(session.mode))) continue;
    if (command.isOffered !== undefined && !command.isOffered(session)) continue;
    for (const line of command.keywords(session)) lines.push(line);
  }
  return lines;
}

const EXTENSIONS = ['PIPELINING', 'ENHANCEDSTATUSCODES'];

export const ehlo: Command = {
  syntax: 'EHLO host.name',
  from: ANY,
  modes: ['smtp', 'submission'],
  keywords: () => EXTENSIONS,
  run: (session, rest) => hello(session, rest, true),
};
export const helo: Command = { syntax: 'HELO host.name', from: ANY, modes: ['smtp', 'submission'], run: (session, rest) => hello(session, rest, false) };
export const lhlo: Command = { ...ehlo, syntax: 'LHLO host.name', modes: ['lmtp'] };
