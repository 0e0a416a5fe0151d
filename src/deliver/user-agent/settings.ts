/** Options of delivery to system users. */
import { bytes, choice, count, duration, flag, list, MINUTE, type SettingsOf, SECOND, text } from '../../system/declare.ts';
import { SIEVE_SETTINGS, type SieveSettings } from '../filters/sieve/settings.ts';
import type { LocalConfiguration } from './types.ts';

const LANGUAGES = ['procmail', 'maildrop', 'sieve'] as const;
type Language = (typeof LANGUAGES)[number];

export const LOCAL_SETTINGS = {
  'local.mailbox': text({
    default: 'store',
    accepts:
      '"store" (this server\'s own), a path below the home directory ("Maildir/" with a slash for a maildir, "mbox" without for an mbox), or a spool directory ("/var/mail/" for mbox files)',
    doc: "Where a system user's mail goes when no file of the user's says otherwise.",
    see: 'Postfix home_mailbox, mail_spool_directory',
    check: (value) =>
      value === 'store' || (value.startsWith('/') ? value.endsWith('/') : value !== '' && !value.split('/').includes('..'))
        ? undefined
        : 'must be "store", a path below the home directory, or an absolute directory that ends with "/"',
  }),
  'local.style': choice({
    of: ['forward', 'qmail'],
    default: 'forward',
    doc: 'Which files in the home directory say where mail goes: .forward as Sendmail and Postfix read it, or .qmail as qmail-local does.',
  }),
  'local.filters': list({
    default: ['procmail', 'maildrop', 'sieve'],
    accepts: 'a list of "procmail" (~/.procmailrc), "maildrop" (~/.mailfilter), "sieve" (~/.dovecot.sieve)',
    doc: 'Filter languages of system users, in order: the first whose file exists sorts the mail.',
    check: (entry) => ((LANGUAGES as readonly string[]).includes(entry) ? undefined : `must be one of ${LANGUAGES.join(', ')}`),
  }),
  'local.mailboxCommand': text({
    default: '',
    accepts: 'a shell command',
    doc: 'Program that takes the mail of system users instead of filters and mailbox; run as the user.',
    see: 'Postfix mailbox_command',
  }),
  'local.forwardPath': list({
    default: [],
    accepts: 'a list of paths with $home, $user, $extension, $recipient_delimiter, $shell, $domain, $recipient, $local',
    doc: 'Forward files that are looked for, in order; empty for ~/.forward with the plus detail, then ~/.forward.',
    see: 'Postfix forward_path',
  }),
  'local.commands': flag({ default: true, doc: "Users' files may name programs (|command).", see: 'Postfix allow_mail_to_commands' }),
  'local.files': flag({ default: true, doc: "Users' files may name files (/file).", see: 'Postfix allow_mail_to_files' }),
  'local.passwdFile': text({
    default: '/etc/passwd',
    takes: 'restart',
    doc: 'Where the users of this machine are listed, in the form of passwd(5).',
    check: (value) => (value.startsWith('/') ? undefined : 'must be an absolute path'),
  }),
  'local.defaultUser': text({
    default: 'nobody',
    takes: 'restart',
    doc: "Whose rights programs and files of the administrator's aliases, and mail of root, are given.",
    see: 'Postfix default_privs',
    check: (value) => (/^[a-z_][a-z0-9_-]{0,31}\$?$/.test(value) && value !== 'root' ? undefined : 'must be the name of a system user other than root'),
  }),
  'local.uidMin': count({
    default: 100,
    least: 1,
    takes: 'restart',
    doc: 'Of users with a lower number, and of root, nothing is read or run. Their mail goes to the store or the mail spool; with a mailbox in home directories they take none: give them an alias.',
  }),
  'local.usersAllowed': list({
    default: [],
    takes: 'restart',
    accepts: 'a list of user names',
    doc: 'Users below local.uidMin whose files are read and run all the same.',
  }),
  'local.commandTimeLimit': duration({
    default: 1000 * SECOND,
    least: SECOND,
    doc: "Longest time for one program of a user's.",
    see: 'Postfix command_time_limit',
  }),
  'local.exportEnvironment': list({
    default: ['TZ', 'LANG'],
    takes: 'restart',
    accepts: 'a list of names, or "NAME=value"',
    doc: "Variables of the server's environment that users' programs get.",
    see: 'Postfix export_environment',
    check: (entry) => (/^[A-Za-z_][A-Za-z0-9_]*(=[^\0\n]*)?$/.test(entry) ? undefined : 'must be NAME or NAME=value'),
  }),
  'local.redirectsMax': count({ default: 100, least: 1, most: 10_000, doc: "Addresses that one message may be sent on to by a user's files." }),
  'local.workersMax': count({ default: 20, least: 1, most: 1000, takes: 'restart', doc: 'Processes at once that deliver as users.' }),
  'local.workersIdle': count({ default: 1, least: 0, most: 20, takes: 'restart', doc: 'Processes kept ready for a user who had none.' }),
  'local.workerIdle': duration({ default: MINUTE, least: SECOND, takes: 'restart', doc: "How long a user's process is kept for the next message." }),
  'local.quotaBytes': bytes({ default: 0, doc: "Most bytes in a user's Maildir++; 0 for no limit of ours (a maildirsize file of the user's counts)." }),
  'local.quotaMessages': count({ default: 0, doc: "Most messages in a user's Maildir++; 0 for no limit of ours." }),
  'local.folderPoll': duration({
    default: 20 * SECOND,
    least: SECOND,
    doc: "How often a user's Maildir or mbox files are looked at while a session waits for news of them (IDLE, NOTIFY), beside what the system tells of changes.",
  }),
  'local.folderWatch': flag({
    default: true,
    doc: "Ask the system to tell of changes in users' Maildirs and mbox files while a session waits for them. false: they are only looked at from time to time (local.folderPoll), which is all that a network file system needs.",
  }),
} as const;
export type LocalSettings = SettingsOf<typeof LOCAL_SETTINGS>;

export interface MachineFacts {
  readonly hostname: string;
  readonly domain: string;
  /** As addresses are split elsewhere, '' for none. */
  readonly recipientDelimiter: string;
  /** `policy.localDomains`; tables among them are left out. */
  readonly localDomains?: readonly string[];
  /** `aliases.commands` and `aliases.files`. */
  readonly commandPlaces?: readonly string[];
  readonly filePlaces?: readonly string[];
}

/** The last answer for each reading of the settings: they seldom change, and every task asks. */
const known = new WeakMap<object, { readonly machine: MachineFacts; readonly configuration: LocalConfiguration }>();

/** The options as they travel with each task. */
export function localConfiguration(s: LocalSettings & SieveSettings, machine: MachineFacts): LocalConfiguration {
  const last = known.get(s);
  if (last !== undefined && isSame(last.machine, machine)) return last.configuration;
  const configuration = travelling(s, machine);
  known.set(s, { machine, configuration });
  return configuration;
}

const isSame = (a: MachineFacts, b: MachineFacts): boolean =>
  a.hostname === b.hostname &&
  a.domain === b.domain &&
  a.recipientDelimiter === b.recipientDelimiter &&
  a.localDomains === b.localDomains &&
  a.commandPlaces === b.commandPlaces &&
  a.filePlaces === b.filePlaces;

function travelling(s: LocalSettings & SieveSettings, machine: MachineFacts): LocalConfiguration {
  const { hostname, domain, recipientDelimiter, localDomains = [], commandPlaces = ['forward'], filePlaces = ['forward'] } = machine;
  return {
    mailbox: s['local.mailbox'],
    style: s['local.style'],
    filters: s['local.filters'].filter((name): name is Language => (LANGUAGES as readonly string[]).includes(name)),
    mailboxCommand: s['local.mailboxCommand'],
    forwardPath: s['local.forwardPath'],
    allowCommands: s['local.commands'],
    allowFiles: s['local.files'],
    commandTimeLimitMs: s['local.commandTimeLimit'],
    exportEnvironment: s['local.exportEnvironment'],
    quotaBytes: s['local.quotaBytes'],
    quotaMessages: s['local.quotaMessages'],
    redirectsMax: s['local.redirectsMax'],
    sieve: Object.fromEntries(Object.keys(SIEVE_SETTINGS).map((key) => [key, s[key as keyof SieveSettings]])) as SieveSettings,
    hostname,
    domain,
    recipientDelimiter,
    localDomains: localDomains.filter((entry) => /^[^:/!$\s]+$/.test(entry)).map((entry) => entry.toLowerCase()),
    commandPlaces,
    filePlaces,
  };
}
