/** Journey events in the words of a person. One row an event; what has no row is shown as it is. Pure. */
import type { JourneyMessage } from '../system/journey.ts';
import { humanBytes, printable } from './table.ts';

type Fields = Readonly<Record<string, any>>;
type Words = (fields: Fields, at: number) => string[];

const SOURCES: Readonly<Record<string, string>> = {
  smtp: 'by SMTP',
  submission: 'by submission',
  lmtp: 'by LMTP',
  pickup: 'from the sendmail command',
  fetch: 'fetched',
};

/** Messages that began on this machine. */
const MADE_HERE: Readonly<Record<string, string>> = {
  bounce: 'a report made here',
  forward: 'sent on',
  alias: 'sent on by an alias',
  reply: 'an automatic answer made here',
};

/** "a@x", "a@x and b@x", "a@x, b@x and 7 more". */
export function people(addresses: unknown, total?: number): string {
  const all = (Array.isArray(addresses) ? addresses : addresses === undefined || addresses === null ? [] : [addresses]).map(String);
  const count = Math.max(total ?? 0, all.length);
  if (count === 0) return 'nobody';
  if (count <= 3 && all.length === count) return all.length === 1 ? all[0]! : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
  return `${all.slice(0, 2).join(', ')} and ${count - Math.min(2, all.length)} more`;
}

/** "mx.example.net [192.0.2.1]", as far as known. */
function host(name: unknown, ip: unknown): string {
  if (name !== undefined && name !== null && ip !== undefined && ip !== null) return `${name} [${ip}]`;
  return name === undefined || name === null ? `[${ip ?? 'unknown'}]` : String(name);
}
/** What the other side said: "550 5.1.1 No such user"; its reply often begins with its code already. */
function said(fields: Fields): string {
  const reply = String(fields.reply ?? '').trim();
  if (reply !== '' && (fields.code === undefined || fields.code === null || reply.startsWith(String(fields.code)))) return reply;
  return [fields.code, fields.enhanced, reply].filter((part) => part !== undefined && part !== null && part !== '').join(' ') || 'nothing';
}
const isHere = (fields: Fields): boolean => fields.host === 'local' || fields.host === undefined || fields.host === null || fields.host === '';

/** What came of a recipient on this machine; the reply begins as the delivery agent words it. */
function doneHere(fields: Fields): string {
  const reply = String(fields.reply ?? '').trim();
  const to = people(fields.to);
  for (const [begin, words] of DONE_HERE) if (reply.startsWith(begin)) return words.replace('$', () => to).concat(reply.slice(begin.length));
  return `delivered to the mailbox of ${to}`;
}
const DONE_HERE: readonly (readonly [string, string])[] = [
  ['delivered to command', 'given to a program for $'],
  ['delivered via ', 'given for $ to the transport '],
  ['delivered to file', 'written to a file for $'],
  ['delivered to maildir', 'written to a maildir for $'],
  ['forwarded', 'sent on for $'],
  ['discarded', 'thrown away for $, as a rule says'],
  ['rejected', 'sent back for $, as a rule says'],
  ['taken in again as ', 'done with $: all else is told of message '],
  ['thrown away, as a table says', 'thrown away for $, as a table says'],
];

/** Time of day, with the date in front when it is another day than `beside`. */
export function clock(at: number, beside?: number): string {
  const date = new Date(at);
  const two = (n: number): string => String(n).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const isSameDay = beside !== undefined && new Date(beside).toDateString() === date.toDateString();
  return isSameDay ? time : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

const STAGES: Readonly<Record<string, string>> = {
  connect: 'the door',
  helo: 'EHLO',
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  message: 'the end of the message',
};

/** "judged: 3.5 points, accepted (SPF_SOFTFAIL 1.5, RDNS_NONE 2)". */
function judgedWords(judged: Fields): string {
  const symbols = Object.entries((judged.symbols ?? {}) as Record<string, number>)
    .sort((a, b) => Math.abs(Number(b[1])) - Math.abs(Number(a[1])))
    .map(([name, score]) => (score === 0 ? name : `${name} ${score}`));
  const by = judged.by === undefined || judged.by === 'score' ? '' : ` because of ${judged.by}`;
  return `judged: ${judged.score} points, ${ACTIONS[judged.action] ?? judged.action}${by}${symbols.length === 0 ? '' : ` (${symbols.join(', ')})`}`;
}
const ACTIONS: Readonly<Record<string, string>> = {
  accept: 'accepted',
  addHeader: 'marked as spam',
  greylist: 'asked to come back later',
  quarantine: 'put into quarantine',
  reject: 'refused',
  defer: 'put off',
  discard: 'thrown away',
};

const WORDS: ReadonlyMap<string, Words> = new Map<string, Words>([
  [
    'accepted',
    (f) => {
      const from = f.ip === undefined && f.helo === undefined ? '' : ` from ${host(f.name ?? f.helo, f.ip)}`;
      const how = `${SOURCES[f.source] ?? f.source ?? ''}${f.tls ? ` (${f.tls})` : ''}`;
      const login = f.login === undefined ? '' : `, signed in as ${f.login}`;
      const size = typeof f.size === 'number' ? `, ${humanBytes(f.size)}` : '';
      const made = MADE_HERE[f.source];
      const what =
        made !== undefined
          ? `${made}${f.about === undefined ? '' : ` because of message ${f.about}`}${size}, for`
          : `received${from} ${how}${login}${size}, from ${f.from ?? '<>'} for`;
      const lines = [`${what} ${people(f.to, f.recipients)}`];
      if (f.delivered !== undefined) lines.push(`delivered to the mailbox of ${people(f.delivered)}`);
      if (f.handled !== undefined) lines.push(`disposed of by the rules of ${people(f.handled)}`);
      if (f.queued !== undefined) lines.push(`queued for ${people(f.queued)}`);
      if (f.waiting !== undefined) lines.push(`waiting in the queue: the mailbox of ${people(f.waiting)} is full`);
      if (f.refused !== undefined) lines.push(`refused for ${people(f.refused)}`);
      if (f.junk === true) lines.push('into the mailbox for junk');
      if (f.notSentOn !== undefined) lines.push(`not sent on to ${people(f.notSentOn)}: it is spam (option forwarding.spam)`);
      if (f.held !== undefined) lines.push(`held in the queue: ${f.held} ("posthorn queue release" lets it go)`);
      if (f.nexthop !== undefined) lines.push(`to go to ${f.nexthop}, as a rule says`);
      if (f.judged !== undefined) lines.push(judgedWords(f.judged));
      return lines;
    },
  ],
  [
    'refused',
    (f) => {
      const from = f.ip === undefined ? '' : ` from ${host(f.name ?? f.helo, f.ip)}`;
      const to = f.to === undefined ? '' : `, for ${people(f.to, f.recipients)}`;
      const lines = [`refused at ${STAGES[f.stage] ?? f.stage}${from}${f.from === undefined ? '' : `, from ${f.from}`}${to}`];
      lines.push(`told: ${[f.code, f.enhanced, f.reply].filter((part) => part !== undefined).join(' ')}`);
      if (f.by !== undefined && f.by !== '') lines.push(`because of ${f.by}`);
      if (f.judged !== undefined) lines.push(judgedWords(f.judged));
      return lines;
    },
  ],
  [
    'discarded',
    (f) => {
      const lines = [
        `taken${f.ip === undefined ? '' : ` from ${host(f.helo, f.ip)}`} and thrown away, from ${f.from} for ${people(f.to, f.recipients)}: ${f.rule}`,
      ];
      if (f.judged !== undefined) lines.push(judgedWords(f.judged));
      return lines;
    },
  ],
  ['delivered', (f) => [isHere(f) ? doneHere(f) : `handed over for ${people(f.to)}: ${f.host} said ${said(f)}`]],
  ['relayed', (f) => [`handed over for ${people(f.to)}: ${f.host ?? 'the other side'} said ${said(f)}`]],
  [
    'deferred',
    (f, at) => {
      const next = typeof f.nextAttemptAt === 'number' ? `, next attempt ${clock(f.nextAttemptAt, at)}` : '';
      return [`deferred for ${people(f.to)}: ${isHere(f) ? said(f) : `${f.host} said ${said(f)}`}${next}`];
    },
  ],
  ['failed', (f) => [`failed for ${people(f.to)}: ${isHere(f) ? said(f) : `${f.host} said ${said(f)}`}`]],
  ['expired', (f) => [`given up for ${people(f.to)}: ${said(f)}`]],
  ['filtered', (f) => [`what was done for ${people(f.to)}:`, ...((Array.isArray(f.actions) ? f.actions : []) as unknown[]).map((action) => `  ${action}`)]],
  ['reentered', (f) => [`${people(f.to)} is ours after all: taken in again as message ${f.as}`]],
  ['bounced', (f) => [`a report of the failure was sent to ${people(f.to)}`]],
  ['held', () => ['held by the administrator']],
  ['hold', () => ['held by the administrator']],
  ['released', () => ['released by the administrator']],
  ['release', () => ['released by the administrator']],
  ['retry', () => ['to be tried again at once, by the administrator']],
  ['retried', () => ['to be tried again at once, by the administrator']],
  ['deleted', () => ['deleted from the queue by the administrator']],
  ['delete', () => ['deleted from the queue by the administrator']],
]);

/** The path of one message: a heading and a line a step. */
export function messageWords(message: JourneyMessage): string {
  const first = message.events[0]?.at;
  const lines: string[] = [];
  const messageId = message.events.map((event) => event.fields.messageId).find((id) => id !== undefined);
  lines.push(`Message ${message.id}${messageId === undefined ? '' : `  ${messageId}`}`);
  for (const event of inOrder(message.events)) {
    const words = WORDS.get(event.event)?.(event.fields, event.at) ?? [`${event.stage}: ${event.event}${rest(event.fields)}`];
    let time = clock(event.at, lines.length === 1 ? undefined : first);
    for (const text of words) {
      lines.push(`  ${time.padStart(19)}  ${text}`);
      time = '';
    }
  }
  return lines.map(printable).join('\n');
}

/** How far apart what was written in one transaction may be. */
const TOGETHER_MS = 1000;

/** As it happened to a person: a report comes after the failure that it tells of, though it was written down first. */
function inOrder(events: JourneyMessage['events']): JourneyMessage['events'] {
  if (!events.some(({ event }) => event === 'bounced')) return events;
  const sorted = [...events];
  for (let i = sorted.length - 2; i >= 0; i -= 1) {
    const report = sorted[i]!;
    if (report.event !== 'bounced') continue;
    const failure = sorted.findIndex(({ event, at }, j) => j > i && (event === 'failed' || event === 'expired') && at - report.at < TOGETHER_MS);
    if (failure !== -1) sorted.splice(failure, 0, ...sorted.splice(i, 1));
  }
  return sorted;
}

function rest(fields: Fields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => ` ${key}=${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join('');
}
