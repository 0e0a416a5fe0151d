/** The filter languages by name: how a file of each becomes a run. Each is loaded when it is asked for. */
import { basename } from 'node:path';
import type { MaildropScript } from '../deliver/filters/maildrop/script.ts';
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
      /** The script's variables, once it has run; empty where the language has none. */
      readonly variables: Readonly<Record<string, string>>;
      /** What they are before it runs. */
      readonly initial: Readonly<Record<string, string>>;
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

/** The language that is given, or that the name of the file tells. Throws with a sentence. */
export function languageOption(options: { readonly language?: string }, file: string): FilterLanguage {
  const { language } = options;
  if (language !== undefined) {
    const known = LANGUAGES.find((name) => name === language);
    if (known === undefined) throw new Error(`There is no filter language "${language}"; there are ${LANGUAGES.join(', ')}.`);
    return known;
  }
  const guessed = languageOf(file);
  if (guessed === null) throw new Error(`Which language is ${file} in? Please give --language: ${LANGUAGES.join(', ')}.`);
  return guessed;
}

export const isCrlf = (language: FilterLanguage): boolean => language === 'sieve';

/** A script of the server or the machine that runs before or after a user's. */
export interface SharedScript {
  readonly file: string;
  readonly text: Buffer;
}
export interface Around {
  readonly before: readonly SharedScript[];
  readonly after: readonly SharedScript[];
}
export const NOTHING_AROUND: Around = { before: [], after: [] };

interface Given {
  readonly text: Buffer;
  readonly file: string;
  readonly input: FilterInput;
  readonly home: string;
  readonly settings: AllSettings;
  readonly environment: Readonly<Record<string, string>>;
  readonly around: Around;
  /** To be filled by the run. */
  readonly variables: Record<string, string>;
}

type Beginning =
  | { readonly run: FilterRun; readonly remarks?: readonly FilterProblem[]; readonly presets?: readonly (readonly [string, string])[] }
  | { readonly problems: readonly FilterProblem[] };

const BEGIN: Readonly<Record<FilterLanguage, (given: Given) => Promise<Beginning>>> = {
  sieve: async ({ text, file, input, settings, around }) => {
    const [{ sieveEngine }, { runSieve }] = await Promise.all([import('../deliver/scripts/engine.ts'), import('../deliver/filters/sieve/sieve.ts')]);
    const engine = sieveEngine(() => settings);
    const shared = ({ file: name, text: source }: SharedScript) => engine.compile(source, name);
    const compiled = [...around.before.map(shared), engine.compile(text, file), ...around.after.map(shared)];
    const problems = compiled.flatMap((one) => ('problems' in one ? one.problems : []));
    if (problems.length > 0) return { problems };
    const scripts = compiled.flatMap((one) => ('script' in one ? [one.script] : []));
    return { run: runSieve(scripts, input, { kind: 'delivery' }, scripts[0]!.limits) };
  },
  maildrop: async ({ text, file, input, environment, around, variables }) => {
    const [{ parseMaildropBytes }, { runMaildrop }, { DEFAULTS }] = await Promise.all([
      import('../deliver/filters/maildrop/parse.ts'),
      import('../deliver/filters/maildrop/run.ts'),
      import('../deliver/filters/maildrop/state.ts'),
    ]);
    const before: MaildropScript[] = [];
    for (const shared of [...around.before, { text, file }]) {
      const parsed = parseMaildropBytes(shared.text.toString('latin1'), shared.file);
      if ('problem' in parsed) return { problems: [parsed.problem] };
      before.push(parsed.script);
    }
    const script = before.pop()!;
    return { run: runMaildrop({ script, before, environment, variables }, input), presets: DEFAULTS };
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
  procmail: async ({ text, file, input, environment, around, variables }) => {
    const [{ parseProcmail }, { PRESETS, runProcmail }] = await Promise.all([
      import('../deliver/filters/procmail/parse.ts'),
      import('../deliver/filters/procmail/run.ts'),
    ]);
    const scripts = [...around.before, { text, file }].map((one) => parseProcmail(one.text, one.file));
    const sender = input.envelope.sender === null ? 'MAILER-DAEMON' : formatAddress(input.envelope.sender);
    const fromLine = `From ${sender} ${asctime(input.at)}`;
    // Procmail goes on after what it does not understand, and so does the run: the problems are told beside it.
    return {
      run: runProcmail({ rcFiles: scripts, environment, arguments: [], fromLine, variables }, input),
      remarks: scripts.flatMap(({ problems }) => problems),
      presets: PRESETS,
    };
  },
};

/** "Thu Jan  1 00:00:00 1970" in UTC, as From_ lines have it. */
function asctime(at: number): string {
  const [day, date, month, year, time] = new Date(at).toUTCString().replace(',', '').split(' ') as [string, string, string, string, string];
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}`;
}

export async function begin(
  language: FilterLanguage,
  text: Buffer,
  file: string,
  input: FilterInput,
  home: string,
  settings: AllSettings,
  around: Around = NOTHING_AROUND,
): Promise<Begun> {
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
  const variables: Record<string, string> = {};
  const begun = await BEGIN[language]({ text, file, input, home, settings, environment, around, variables });
  return 'problems' in begun
    ? begun
    : { run: begun.run, remarks: begun.remarks ?? [], environment, variables, initial: { ...Object.fromEntries(begun.presets ?? []), ...environment } };
}
