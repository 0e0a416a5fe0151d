/** Every command, once. The EHLO reply, HELP and the legal states are read from these rows. */
import { authCommand } from './auth.ts';
import { bdatCommand } from './bdat.ts';
import { dataCommand } from './data.ts';
import { etrnCommand } from './etrn.ts';
import { ehlo, helo, lhlo } from './hello.ts';
import { mailCommand } from './mail.ts';
import { rcptCommand } from './rcpt.ts';
import type { Command, CommandTable } from './service.ts';
import { expn, helpCommand, noop, quit, rset, vrfyCommand } from './simple.ts';
import { starttlsCommand } from './starttls.ts';
import { xclientCommand, xforwardCommand } from './xclient.ts';

export const COMMANDS: CommandTable = new Map<string, Command>([
  ['EHLO', ehlo],
  ['HELO', helo],
  ['LHLO', lhlo],
  ['MAIL', mailCommand],
  ['RCPT', rcptCommand],
  ['DATA', dataCommand],
  ['BDAT', bdatCommand],
  ['RSET', rset],
  ['STARTTLS', starttlsCommand],
  ['AUTH', authCommand],
  ['XCLIENT', xclientCommand],
  ['XFORWARD', xforwardCommand],
  ['NOOP', noop],
  ['VRFY', vrfyCommand],
  ['EXPN', expn],
  ['ETRN', etrnCommand],
  ['HELP', helpCommand],
  ['QUIT', quit],
]);
