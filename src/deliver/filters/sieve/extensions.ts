/** All extensions. Their names stand in extension-names.ts as well, for those who need no more than that. */
import { CORE } from './core/core.ts';
import { BODY } from './extensions/body.ts';
import { CONVERT } from './extensions/convert.ts';
import { DATE } from './extensions/date.ts';
import { DEBUG } from './extensions/debug.ts';
import { DUPLICATE } from './extensions/duplicate.ts';
import { EDITHEADER } from './extensions/editheader.ts';
import { ENCLOSE } from './extensions/enclose.ts';
import { ENVELOPE } from './extensions/envelope.ts';
import { ENVIRONMENT } from './extensions/environment.ts';
import { EXTLISTS } from './extensions/extlists.ts';
import { EXTRACTTEXT } from './extensions/extracttext.ts';
import { FCC } from './extensions/fcc.ts';
import { FOREVERYPART } from './extensions/foreverypart.ts';
import { IHAVE } from './extensions/ihave.ts';
import { IMAP4FLAGS } from './extensions/imap4flags.ts';
import { INCLUDE } from './extensions/include.ts';
import { MAILBOX_EXTENSIONS } from './extensions/mailbox.ts';
import { MIME } from './extensions/mime.ts';
import { ENOTIFY } from './extensions/notify.ts';
import { PROGRAM_EXTENSIONS } from './extensions/programs.ts';
import { REJECT } from './extensions/reject.ts';
import { REPLACE } from './extensions/replace.ts';
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
  FOREVERYPART,
  MIME,
  EXTRACTTEXT,
  REPLACE,
  ENCLOSE,
  CONVERT,
  DEBUG,
  REPORT,
  ...PROGRAM_EXTENSIONS,
];

export const VOCABULARY = new Vocabulary(EXTENSIONS);
