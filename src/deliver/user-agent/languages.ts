/** What the worker knows of forward files and filter languages: where their files are and how a run begins. */
import { lstatSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fromLine } from '../agents/mbox.ts';
import { errnoOf } from '../agents/result.ts';
import type { FilterInput, FilterProblem, FilterRun } from '../filters/filter.ts';
import { FORWARD_PATH, forwardCandidates, forwardFileProblem } from '../filters/forward/candidates.ts';
import { runForward } from '../filters/forward/run.ts';
import { parseMaildropBytes } from '../filters/maildrop/parse.ts';
import { runMaildrop } from '../filters/maildrop/run.ts';
import { parseProcmail } from '../filters/procmail/parse.ts';
import { runProcmail } from '../filters/procmail/run.ts';
import { homeProblem, isForwardOnly, qmailCandidates, qmailFileProblem } from '../filters/qmail/files.ts';
import { runQmail } from '../filters/qmail/run.ts';
import { sieveExtensions, sieveLimits } from '../filters/sieve/settings.ts';
import { compileSieve, runSieve, type SieveExtensions, type SieveLimits } from '../filters/sieve/sieve.ts';
import { formatAddress } from '../../mail/address.ts';
import type { Address } from '../../ports.ts';
import { readTrusted } from './files.ts';
import { isInStore, mailboxPath } from './mailbox.ts';
import type { DeliveryTask, SystemUser } from './types.ts';

/** What an administrator's and a user's file came to. 'defer': nothing is delivered now. */
export type Prepared =
  | {
      readonly kind: 'run';
      readonly run: FilterRun;
      readonly file: string /** What the language passes over in the user's file. */;
      readonly problem?: FilterProblem;
    }
  /** `instead`: the file is passed over as if it were not there, the mailbox gets the message, or the message waits until the file is mended. */
  | { readonly kind: 'problem'; readonly problem: FilterProblem; readonly instead: 'passOver' | 'mailbox' | 'defer' }
  | { readonly kind: 'defer'; readonly text: string };

export interface PreparedFor {
  readonly task: DeliveryTask;
  readonly user: SystemUser;
  /** Without the header's own form: see the language. */
  readonly input: FilterInput;
  readonly environment: Readonly<Record<string, string>>;
}

const FILE_BYTES_MAX = 1024 * 1024;
/** Scripts of one user, parsed. */
const CACHE_MAX = 32;
export const GLOBAL_FILES = { procmail: '/etc/procmailrc', maildrop: '/etc/maildroprc' } as const;

const passedOver = (file: string, text: string): Prepared => ({ kind: 'problem', problem: { file, line: 0, text }, instead: 'passOver' });
const UNSAFE = 'it is not used: others may write to it, it belongs to another user, or it is too long';

// ── .forward and .qmail ──────────────────────────────────────────────────────────────────────────────

/** The first candidate that is there decides, trusted or not; null: none is there. */
export function prepareForward(given: PreparedFor): Prepared | null {
  const { task, user, input } = given;
  const { configuration } = task;
  const values = {
    user: user.name,
    home: user.home,
    shell: user.shell,
    recipient: formatAddress(task.final),
    extension: task.detail,
    delimiter: delimiterOf(task),
    domain: task.final.domain,
    local: task.final.local,
  };
  const path = configuration.forwardPath.length > 0 ? configuration.forwardPath.join(', ') : FORWARD_PATH;
  for (const candidate of forwardCandidates(values, path)) {
    const stat = lstatSync(candidate, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const file = shown(candidate, user);
    const problem = forwardFileProblem({ isRegular: stat.isFile(), mode: stat.mode, uid: stat.uid }, user.uid);
    if (problem !== null) return passedOver(file, problem);
    const text = readTrusted(candidate, user.uid, FILE_BYTES_MAX);
    if (text === null || text === 'unsafe') return passedOver(file, UNSAFE);
    const context = {
      homeDirectory: user.home,
      origin: configuration.domain,
      isOwn: (address: Address) =>
        isLocalDomain(address.domain.toLowerCase(), task) &&
        withoutDetail(address.local, configuration.recipientDelimiter).toLowerCase() ===
          withoutDetail(task.final.local, configuration.recipientDelimiter).toLowerCase(),
      mayRun: (place: string) => configuration.allowCommands && configuration.commandPlaces.includes(place),
      mayWrite: (place: string) => configuration.allowFiles && configuration.filePlaces.includes(place),
    };
    return { kind: 'run', run: runForward(text.toString('utf8'), file, context, input), file };
  }
  return null;
}

const isLocalDomain = (domain: string, { final, configuration }: DeliveryTask): boolean =>
  domain === final.domain.toLowerCase() || domain === configuration.domain.toLowerCase() || configuration.localDomains.includes(domain);

/** The character that stands before the detail in the address. */
function delimiterOf({ final, detail, configuration }: DeliveryTask): string {
  const before = detail === null ? '' : final.local.charAt(final.local.length - detail.length - 1);
  const isFound = before !== '' && configuration.recipientDelimiter.includes(before) && final.local.toLowerCase().endsWith(detail!.toLowerCase());
  return isFound ? before : configuration.recipientDelimiter.slice(0, 1);
}

function withoutDetail(local: string, delimiters: string): string {
  for (let at = 1; at < local.length; at += 1) if (delimiters.includes(local[at]!)) return local.slice(0, at);
  return local;
}

const shown = (path: string, user: SystemUser): string => (path.startsWith(`${user.home}/`) ? `~${path.slice(user.home.length)}` : path);

/** qmail-local's way: the home directory's mode first, then the first candidate that is a regular file. Always has something to say. */
export function prepareQmail(given: PreparedFor): Prepared {
  const { task, user, input } = given;
  const home = homeProblem(statSync(user.home).mode);
  if (home !== null) return { kind: 'defer', text: home };
  const context = {
    local: task.recipient.local,
    host: task.recipient.domain,
    extension: task.detail ?? '',
    defaultDelivery: isInStore(task.configuration) || task.configuration.mailbox.startsWith('/') ? null : `./${task.configuration.mailbox}`,
  };
  for (const { name, defaultPart } of qmailCandidates(task.detail)) {
    const path = join(user.home, name);
    let stat: ReturnType<typeof statSync>;
    try {
      stat = statSync(path, { throwIfNoEntry: false });
    } catch (error) {
      return { kind: 'defer', text: `~/${name} cannot be looked at: ${errnoOf(error) ?? String(error)}` };
    }
    if (stat === undefined || !stat.isFile()) continue;
    const problem = qmailFileProblem(stat.mode);
    if (problem !== null) return { kind: 'defer', text: problem };
    const text = readTrusted(path, user.uid, FILE_BYTES_MAX);
    if (text === null || text === 'unsafe') return { kind: 'defer', text: `~/${name} cannot be read or trusted (#4.3.0)` };
    const file = { name, text: text.toString('utf8'), isForwardOnly: isForwardOnly(stat.mode), defaultPart };
    return { kind: 'run', run: runQmail(file, context, input), file: `~/${name}` };
  }
  return { kind: 'run', run: runQmail(null, context, input), file: '~/.qmail' };
}

// ── procmail, maildrop, Sieve ────────────────────────────────────────────────────────────────────────

export type FilterName = 'procmail' | 'maildrop' | 'sieve';
export const USER_FILES: Readonly<Record<FilterName, string>> = { procmail: '.procmailrc', maildrop: '.mailfilter', sieve: '.dovecot.sieve' };

/** Where the user's mail goes when no rule says otherwise, in the languages' variables. In the store there is no such file: the usual one stands for it. */
function inboxFile(given: PreparedFor): string {
  return mailboxPath({ configuration: given.task.configuration, home: given.user.home, user: given.user.name }) ?? `/var/mail/${given.user.name}`;
}

const parsed = new Map<string, unknown>();
function once<T>(key: string, parse: () => T): T {
  if (parsed.has(key)) return parsed.get(key) as T;
  const value = parse();
  if (parsed.size >= CACHE_MAX) parsed.delete(parsed.keys().next().value!);
  parsed.set(key, value);
  return value;
}

/** Null: neither the user nor (for procmail and maildrop, when `usesGlobal`) the administrator has such a file. */
export function prepareFilter(name: FilterName, given: PreparedFor, usesGlobal: boolean): Prepared | null {
  const { user } = given;
  const file = `~/${USER_FILES[name]}`;
  const own = readTrusted(join(user.home, USER_FILES[name]), user.uid, FILE_BYTES_MAX);
  const global = name === 'sieve' ? null : readTrusted(GLOBAL_FILES[name], 0, FILE_BYTES_MAX);
  if (own === 'unsafe') return passedOver(file, UNSAFE);
  if (own === null && (!usesGlobal || global === null || global === 'unsafe' || isComments(global))) return null;
  const texts = [
    ...(global === null || global === 'unsafe' || name === 'sieve' ? [] : [{ file: GLOBAL_FILES[name] as string, text: global }]),
    ...(own === null ? [] : [{ file, text: own }]),
  ];
  if (name === 'procmail') return prepareProcmail(texts, given);
  if (name === 'maildrop') return prepareMaildrop(texts, given);
  return prepareSieve(texts[0]!, given);
}

/** As packages install it: nothing is said for anybody. */
const isComments = (text: Buffer): boolean =>
  text
    .toString('latin1')
    .split('\n')
    .every((line) => line.trim() === '' || line.trimStart().startsWith('#'));

interface Text {
  readonly file: string;
  readonly text: Buffer;
}

function prepareProcmail(texts: readonly Text[], given: PreparedFor): Prepared {
  const { task, user, input, environment } = given;
  const inbox = inboxFile(given);
  const rcFiles = texts.map(({ file, text }) => once(`procmail ${file} ${text.toString('latin1')}`, () => parseProcmail(text, file)));
  const context = {
    rcFiles,
    environment: {
      ...environment,
      PATH: `${user.home}/bin:/usr/local/bin:/usr/bin:/bin`,
      SHELL: user.shell || '/bin/sh',
      MAILDIR: user.home,
      DEFAULT: inbox,
      ORGMAIL: inbox,
      // Rc files that serve several machines look which one this is.
      HOST: hostname(),
    },
    // As with mailbox_command = procmail -a "$EXTENSION".
    arguments: environment['EXTENSION'] === undefined ? [] : [environment['EXTENSION']],
    fromLine: fromLine(task.sender === null ? null : formatAddress(task.sender), task.at).toString('latin1'),
    inbox: isInStore(task.configuration) ? inbox : null,
    processId: process.pid,
  };
  const wrong = rcFiles.at(-1)!.problems[0];
  return {
    kind: 'run',
    run: runProcmail(context, input),
    file: texts.at(-1)!.file,
    ...(wrong === undefined ? {} : { problem: { ...wrong, isPassedOver: true } }),
  };
}

function prepareMaildrop(texts: readonly Text[], given: PreparedFor): Prepared {
  const { user, input, environment } = given;
  const scripts: Extract<ReturnType<typeof parseMaildropBytes>, { script: unknown }>['script'][] = [];
  for (const { file, text } of texts) {
    const result = once(`maildrop ${file} ${text.toString('latin1')}`, () => parseMaildropBytes(text.toString('latin1'), file));
    // As maildrop does: nothing is delivered by a filter that cannot be read.
    if ('problem' in result) return { kind: 'problem', problem: result.problem, instead: 'defer' };
    scripts.push(result.script);
  }
  const before = scripts.slice(0, -1);
  const own = {
    PATH: '/bin:/usr/bin:/usr/local/bin',
    SHELL: user.shell || '/bin/sh',
    DEFAULT: inboxFile(given),
    HOSTNAME: hostname(),
    MAILFILTER: USER_FILES.maildrop,
  };
  const context = { script: scripts.at(-1)!, before, environment: { ...environment, ...own } };
  return { kind: 'run', run: runMaildrop(context, input), file: texts.at(-1)!.file };
}

let sieveFor: { readonly key: string; readonly extensions: SieveExtensions; readonly limits: SieveLimits } | null = null;

function prepareSieve({ file, text }: Text, given: PreparedFor): Prepared {
  const { sieve } = given.task.configuration;
  const key = JSON.stringify(sieve);
  // One object for each reading of the settings: included scripts are kept by it.
  if (sieveFor?.key !== key) sieveFor = { key, extensions: sieveExtensions(sieve), limits: sieveLimits(sieve) };
  const { extensions, limits } = sieveFor;
  const compiled = once(`sieve ${key} ${text.toString('latin1')}`, () => compileSieve(text.toString('utf8'), { file, extensions, limits }));
  if ('problems' in compiled) return { kind: 'problem', problem: compiled.problems[0] ?? { file, line: 0, text: 'it has mistakes' }, instead: 'mailbox' };
  return { kind: 'run', run: runSieve([compiled.script], given.input, { kind: 'delivery' }, limits), file };
}
