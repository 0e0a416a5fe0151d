/** For tests: what a script of each language does with a message, in words that are the same for all. */
import type { Action, FilterEnd, FilterInput, FilterRequest, FilterRun } from '../filter.ts';
import { runForward } from '../forward/run.ts';
import { parseMaildropBytes } from '../maildrop/parse.ts';
import { runMaildrop } from '../maildrop/run.ts';
import { parseProcmail } from '../procmail/parse.ts';
import { runProcmail } from '../procmail/run.ts';
import { runQmail } from '../qmail/run.ts';
import { inputOf, runScripts } from '../sieve/testing.ts';
import { type ConvertibleLanguage, convertFilter } from './convert.ts';
import type { Converted } from './converted.ts';
import { mailboxOf } from './folders.ts';

export const HOME = '/home/anna';
const INBOX = `${HOME}/Maildir/`;
export const OPTIONS = { user: 'anna', domain: 'example.org', hostname: 'mx.example.org', home: HOME, redirectsMax: 4 } as const;

export function converted(text: string, language: ConvertibleLanguage): Converted {
  const made = convertFilter(Buffer.from(text), language, language, OPTIONS);
  if ('problem' in made) throw new Error(made.problem.why);
  return made.converted;
}

export interface Letter {
  readonly sender: string | null;
  /** Lines of the header, without the blank one. */
  readonly header: readonly string[];
  readonly body: string;
}

const addressOf = (text: string) => ({ local: text.slice(0, text.lastIndexOf('@')), domain: text.slice(text.lastIndexOf('@') + 1) });
const recipient = { local: 'anna', domain: 'example.org' };

function inputFor({ sender, header, body }: Letter, lineEnd: '\n' | '\r\n'): FilterInput {
  const text = `${header.map((line) => `${line}\n`).join('')}\n${body}`.replaceAll('\n', lineEnd);
  const headerEnd = text.indexOf(lineEnd + lineEnd) + 2 * lineEnd.length;
  return {
    ...inputOf(Buffer.from(text)),
    header: Buffer.from(text.slice(0, headerEnd)),
    body: Buffer.from(text.slice(headerEnd)),
    envelope: { ...inputOf('\r\n').envelope, sender: sender === null ? null : addressOf(sender), recipient, final: recipient, detail: null },
    user: 'anna',
    home: HOME,
    domain: 'example.org',
    hostname: 'mx.example.org',
  };
}

function words(actions: readonly Action[], end: FilterEnd, directory: string): readonly string[] {
  const out = new Set<string>();
  for (const action of actions) {
    switch (action.kind) {
      case 'keep':
        out.add('inbox');
        break;
      case 'fileInto':
        out.add(action.mailbox === 'INBOX' ? 'inbox' : `file ${action.mailbox}`);
        break;
      case 'store':
        if (action.path === '/dev/null') break;
        for (const path of [
          action.format === 'maildir' ? `${action.path}/` : action.path,
          ...action.links.map((link) => (link.format === 'maildir' ? `${link.path}/` : link.path)),
        ]) {
          const mailbox = mailboxOf(path.replace(HOME, '~'), { directory: directory.replace(HOME, '~'), inbox: '~/Maildir/' });
          out.add(mailbox === '' ? 'inbox' : `file ${mailbox}`);
        }
        break;
      case 'redirect':
        out.add(`to ${action.address.local}@${action.address.domain}`);
        break;
      case 'discard':
        break;
      default:
        out.add(action.kind);
    }
  }
  if (end.kind === 'failed') out.add(`failed: ${end.problem.text}`);
  return [...out].sort();
}

/** What our interpreter of the language does. */
export function doneBy(text: string, language: ConvertibleLanguage, letter: Letter): readonly string[] {
  const input = inputFor(letter, '\n');
  const { actions, end, directory } = drive(begin(text, language, input, letter));
  return words(actions, end, directory);
}

interface Driven {
  readonly actions: readonly Action[];
  readonly end: FilterEnd;
  readonly directory: string;
}

/** Everything succeeds; every folder is there. */
function drive(run: FilterRun): Driven {
  const actions: Action[] = [];
  let directory = HOME;
  const answer = (request: FilterRequest): unknown => {
    switch (request.kind) {
      case 'act':
        actions.push(request.action);
        return { isDone: true, problem: null, exit: 0 };
      case 'chdir':
        directory = request.path;
        return true;
      case 'run':
        return { exit: 0, signal: null, isTimedOut: false, output: new Uint8Array(0), isTruncated: false, isInputRefused: false };
      case 'stat':
        return request.path.endsWith('/') || /Maildir/.test(request.path) ? 'maildir' : null;
      case 'lock':
        return true;
      default:
        return null;
    }
  };
  let step = run.next();
  while (step.done !== true) step = run.next(answer(step.value));
  return { actions, end: step.value, directory };
}

function begin(text: string, language: ConvertibleLanguage, input: FilterInput, letter: Letter): FilterRun {
  const environment = { HOME, LOGNAME: 'anna', SHELL: '/bin/sh', PATH: '/bin', MAILDIR: HOME, DEFAULT: INBOX, ORGMAIL: INBOX };
  switch (language) {
    case 'procmail': {
      const fromLine = `From ${letter.sender ?? 'MAILER-DAEMON'} Fri Nov 20 12:00:00 2026`;
      return runProcmail({ rcFiles: [parseProcmail(text, 'rc')], environment, arguments: [], fromLine, inbox: INBOX }, input);
    }
    case 'maildrop': {
      const parsed = parseMaildropBytes(text, 'filter');
      if ('problem' in parsed) throw new Error(parsed.problem.text);
      return runMaildrop({ script: parsed.script, environment }, input);
    }
    case 'forward':
      return runForward(
        text,
        'forward',
        {
          homeDirectory: HOME,
          origin: 'example.org',
          isOwn: ({ local, domain }) => local === 'anna' && domain === 'example.org',
          mayRun: () => true,
          mayWrite: () => true,
        },
        input,
      );
    case 'qmail':
      return runQmail(
        { name: '.qmail', text, isForwardOnly: false, defaultPart: null },
        { local: 'anna', host: 'example.org', extension: '', defaultDelivery: null },
        input,
      );
  }
}

/** What a Sieve script does; throws when it does not compile. */
export function doneBySieve(sieve: string, letter: Letter): readonly string[] {
  const input = inputFor(letter, '\r\n');
  const { actions, end } = runScripts([sieve], Buffer.concat([input.header, input.body!]), {
    envelope: input.envelope,
    input: { user: 'anna', domain: 'example.org' },
  });
  return words(actions, end, HOME);
}
