/** All extensions, and which of them are on when nobody says otherwise. */
import { CORE } from './core/core.ts';
import { BODY } from './extensions/body.ts';
import { DATE } from './extensions/date.ts';
import { DEBUG } from './extensions/debug.ts';
import { DUPLICATE } from './extensions/duplicate.ts';
import { EDITHEADER } from './extensions/editheader.ts';
import { ENVELOPE } from './extensions/envelope.ts';
import { ENVIRONMENT } from './extensions/environment.ts';
import { EXTLISTS } from './extensions/extlists.ts';
import { FCC } from './extensions/fcc.ts';
import { IHAVE } from './extensions/ihave.ts';
import { IMAP4FLAGS } from './extensions/imap4flags.ts';
import { INCLUDE } from './extensions/include.ts';
import { MAILBOX_EXTENSIONS } from './extensions/mailbox.ts';
import { ENOTIFY } from './extensions/notify.ts';
import { PROGRAM_EXTENSIONS } from './extensions/programs.ts';
import { REJECT } from './extensions/reject.ts';
import { REPORT } from './extensions/report.ts';
import { SIMPLE } from './extensions/simple.ts';
import { SPAM } from './extensions/spam.ts';
import { VACATION } from './extensions/vacation.ts';
import { VARIABLES } from './extensions/variables.ts';
import type { Extension } from './registry.ts';
import { Vocabulary } from './vocabulary.ts';

export const EXTENSIONS: readonly Extension[] = [
  CORE,
  ...SIMPLE,
  ...ENVELOPE,
  VARIABLES,
  ...VACATION,
  IMAP4FLAGS,
  ...REJECT,
  DATE,
  EDITHEADER,
  INCLUDE,
  ...MAILBOX_EXTENSIONS,
  ...ENVIRONMENT,
  ENOTIFY,
  DUPLICATE,
  ...SPAM,
  IHAVE,
  FCC,
  EXTLISTS,
  BODY,
  DEBUG,
  REPORT,
  ...PROGRAM_EXTENSIONS,
];

export const VOCABULARY = new Vocabulary(EXTENSIONS);

/** They start programs; reports leave the server in the postmaster's name; lists must be made by somebody. */
const OFF_BY_DEFAULT: ReadonlySet<string> = new Set(['vnd.dovecot.pipe', 'vnd.dovecot.filter', 'vnd.dovecot.execute', 'vnd.dovecot.report', 'extlists']);
export const PROGRAM_NAMES: ReadonlySet<string> = new Set(['vnd.dovecot.pipe', 'vnd.dovecot.filter', 'vnd.dovecot.execute']);

export const ALL_EXTENSIONS: readonly string[] = EXTENSIONS.map(({ name }) => name).filter((name) => name !== '');
export const DEFAULT_EXTENSIONS: readonly string[] = ALL_EXTENSIONS.filter((name) => !OFF_BY_DEFAULT.has(name));
