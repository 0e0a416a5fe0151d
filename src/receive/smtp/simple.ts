/** The commands that need no file of their own: RSET, NOOP, VRFY, EXPN, HELP, QUIT (RFC 5321 sections 4.1.1.5 to 4.1.1.10). */
import { parseMailbox } from '../../mail/address.ts';
import { formatReply } from '../../wire/smtp/reply.ts';
import { refusalOf } from './rcpt.ts';
import { ANY, type Command } from './service.ts';
import type { SmtpSession } from './session.ts';

export const rset: Command = {
  syntax: 'RSET',
  from: ANY,
  isJunk: true,
  run(session, rest) {
    if (rest !== '') {
      session.reply(501, '5.5.4', 'RSET takes no argument');
      return;
    }
    session.reset();
    session.write('250 2.0.0 OK\r\n');
  },
};

export const noop: Command = { syntax: 'NOOP', from: ANY, isJunk: true, run: (session) => session.write('250 2.0.0 OK\r\n') };

/** 252: "cannot verify, but will take the message" gives nothing away (RFC 5321 section 7.3). */
function vrfy(session: SmtpSession, rest: string): void {
  if (rest === '') {
    session.reply(501, '5.5.4', 'Syntax: VRFY address');
    return;
  }
  const text = rest.startsWith('<') && rest.endsWith('>') ? rest.slice(1, -1) : rest;
  const address = session.settings['smtp.vrfy'] === 'recipients' ? parseMailbox(text) : null;
  const refusal = address === null ? null : refusalOf(session, session.context.directory.resolve(address), address);
  if (refusal !== null) session.answer(refusal);
  else session.write('252 2.1.5 Send RCPT to find out\r\n');
}
export const vrfyCommand: Command = { syntax: 'VRFY address', from: ANY, isJunk: true, run: vrfy };

export const expn: Command = { syntax: 'EXPN list', from: ANY, isJunk: true, run: (session) => session.reply(502, '5.5.1', 'Lists are not expanded here') };

const HELP = ['HELP'];
function help(session: SmtpSession, rest: string): void {
  const wanted = rest.toUpperCase();
  const lines: string[] = [];
  for (const [verb, command] of session.service.commands) {
    const isKnown = command.modes === undefined || command.modes.includes(session.mode);
    if (!isKnown || (command.isOffered !== undefined && !command.isOffered(session))) continue;
    if (wanted === '' || wanted === verb) lines.push(command.syntax);
  }
  if (lines.length === 0) session.reply(504, '5.5.4', 'No such command');
  else session.write(formatReply(214, '2.0.0', lines.join('\n')));
}
export const helpCommand: Command = { syntax: 'HELP [command]', from: ANY, isJunk: true, keywords: () => HELP, run: help };

export const quit: Command = {
  syntax: 'QUIT',
  from: ANY,
  run(session) {
    session.write('221 2.0.0 Bye\r\n');
    session.close();
  },
};
