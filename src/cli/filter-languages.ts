/** The filter languages by name: how a file of each becomes a run. Each is loaded when it is asked for. */
import { basename } from 'node:path';
import type { FilterInput, FilterLanguage, FilterProblem, FilterRun } from '../deliver/filters/filter.ts';
import { formatAddress } from '../mail/address.ts';
import type { AllSettings } from '../settings.ts';

export const LANGUAGES = ['sieve', 'procmail', 'maildrop', 'forward', 'qmail'] as const satisfies readonly FilterLanguage[];

export type Begun =
  | {
      readonly run: FilterRun;
      /** Mistakes that the language passes over. */
      readonly remarks: readonly FilterProblem[];
      /** What `environment` requests are answered from. */
      readonly environment: Readonly<Record<string, string>>;
    }
  | { readonly problems: readonly FilterProblem[] };

/** What files are called in each language; null when the name does not tell. */
export function languageOf(file: string): FilterLanguage | null {
  const name = basename(file).toLowerCase();
  if (/\.(?:sieve|siv)$/.test(name)) return 'sieve';
  if (/procmail/.test(name) || /^rc\.|\.rc$/.test(name)) return 'procmail';
  if (/^\.?mailfilter|maildroprc|\.mailfilter$/.test(name)) return 'maildrop';
  if (/^\.?forward|\.forward$/.test(name)) return 'forward';
  return /^\.?qmail|\.qmail$/.test(name) ? 'qmail' : null;
}

export const isCrlf = (language: FilterLanguage): boolean => language === 'sieve';

interface Given {
  readonly text: Buffer;
  readonly file: string;
  readonly input: FilterInput;
  readonly home: string;
  readonly settings: AllSettings;
  readonly environment: Readonly<Record<string, string>>;
}

type Beginning = { readonly run: FilterRun; readonly remarks?: readonly FilterProblem[] } | { readonly problems: readonly FilterProblem[] };

const BEGIN: Readonly<Record<FilterLanguage, (given: Given) => Promise<Beginning>>> = {
  sieve: async ({ text, file, input, settings }) => {
    const [{ sieveEngine }, { runSieve }] = await Promise.all([import('../deliver/scripts/engine.ts'), import('../deliver/filters/sieve/sieve.ts')]);
    const compiled = sieveEngine(() => settings).compile(text, file);
    return 'problems' in compiled ? compiled : { run: runSieve([compiled.script], input, { kind: 'delivery' }, compiled.script.limits) };
  },
  maildrop: async ({ text, file, input, environment }) => {
    const [{ parseMaildropBytes }, { runMaildrop }] = await Promise.all([
      import('../deliver/filters/maildrop/parse.ts'),
      import('../deliver/filters/maildrop/run.ts'),
    ]);
    const parsed = parseMaildropBytes(text.toString('latin1'), file);
    return 'problem' in parsed ? { problems: [parsed.problem] } : { run: runMaildrop({ script: parsed.script, environment }, input) };
  },
  forward: async ({ text, file, input, home, settings }) => {
    const { runForward } = await import('../deliver/filters/forward/run.ts');
    const own = new Set([`${input.user}@${settings.domain}`, `${input.user}@${settings.hostname}`].map((address) => address.toLowerCase()));
    const isOwn = (address: { local: string; domain: string }): boolean =>
      own.has(`${address.local.replace(/\+.*/s, '')}@${address.domain}`.toLowerCase()) || formatAddress(address) === formatAddress(input.envelope.final);
    return {
      run: runForward(text.toString('utf8'), file, { homeDirectory: home, origin: settings.domain, isOwn, mayRun: () => true, mayWrite: () => true }, input),
    };
  },
  qmail: async ({ text, file, input }) => {
    const { runQmail } = await import('../deliver/filters/qmail/run.ts');
    const { recipient, detail } = input.envelope;
    const context = { local: recipient.local, host: recipient.domain, extension: detail ?? '', defaultDelivery: null };
    return { run: runQmail({ name: basename(file), text: text.toString('utf8'), isForwardOnly: false, defaultPart: null }, context, input) };
  },
  procmail: async ({ text, file, input, environment }) => {
    const [{ parseProcmail }, { runProcmail }] = await Promise.all([
      import('../deliver/filters/procmail/parse.ts'),
      import('../deliver/filters/procmail/run.ts'),
    ]);
    const script = parseProcmail(text, file);
    const sender = input.envelope.sender === null ? 'MAILER-DAEMON' : formatAddress(input.envelope.sender);
    const fromLine = `From ${sender} ${asctime(input.at)}`;
    // Procmail goes on after what it does not understand, and so does the run: the problems are told beside it.
    return { run: runProcmail({ rcFiles: [script], environment, arguments: [], fromLine }, input), remarks: script.problems };
  },
};

/** "Thu Jan  1 00:00:00 1970" in UTC, as From_ lines have it. */
function asctime(at: number): string {
  const [day, date, month, year, time] = new Date(at).toUTCString().replace(',', '').split(' ') as [string, string, string, string, string];
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}`;
}

export async function begin(language: FilterLanguage, text: Buffer, file: string, input: FilterInput, home: string, settings: AllSettings): Promise<Begun> {
  const environment: Record<string, string> = {
    HOME: home,
    LOGNAME: input.user,
    USER: input.user,
    SHELL: '/bin/sh',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOST: input.hostname,
    ORGMAIL: `/var/mail/${input.user}`,
    DEFAULT: `/var/mail/${input.user}`,
  };
  const begun = await BEGIN[language]({ text, file, input, home, settings, environment });
  return 'problems' in begun ? begun : { run: begun.run, remarks: begun.remarks ?? [], environment };
}
