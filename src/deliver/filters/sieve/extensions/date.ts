/** RFC 5260 sections 4 and 5: the tests date and currentdate. */
import { formatDate, parseDate } from '../../../../mail/date.ts';
import type { Call } from '../call.ts';
import { fieldNames, selectFields } from '../fields.ts';
import { matchTest } from '../match.ts';
import type { Extension, Step } from '../registry.ts';
import { mapStep } from '../steps.ts';
import type { Text } from '../text.ts';

/** A moment as clocks at `zone` minutes east of Greenwich show it. */
interface Moment {
  readonly ms: number;
  readonly zone: number;
  /** Its UTC fields are the local ones. */
  readonly local: Date;
}

const two = (n: number): string => String(n).padStart(2, '0');
const four = (n: number): string => String(n).padStart(4, '0');
const dateText = ({ local }: Moment): string => `${four(local.getUTCFullYear())}-${two(local.getUTCMonth() + 1)}-${two(local.getUTCDate())}`;
const timeText = ({ local }: Moment): string => `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())}`;
function zoneText(minutes: number, separator = ''): string {
  const absolute = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(absolute / 60))}${separator}${two(absolute % 60)}`;
}

/** Day 0 of the Modified Julian calendar is 17 November 1858. */
const MODIFIED_JULIAN_OF_1970 = 40_587;
const DAY_MS = 86_400_000;

/** date-part (section 4.2), in lower case. */
const PARTS: ReadonlyMap<string, (moment: Moment) => string> = new Map<string, (moment: Moment) => string>([
  ['year', ({ local }) => four(local.getUTCFullYear())],
  ['month', ({ local }) => two(local.getUTCMonth() + 1)],
  ['day', ({ local }) => two(local.getUTCDate())],
  ['date', dateText],
  ['julian', ({ local }) => String(Math.floor(local.getTime() / DAY_MS) + MODIFIED_JULIAN_OF_1970)],
  ['hour', ({ local }) => two(local.getUTCHours())],
  ['minute', ({ local }) => two(local.getUTCMinutes())],
  ['second', ({ local }) => two(local.getUTCSeconds())],
  ['time', timeText],
  ['iso8601', (moment) => `${dateText(moment)}T${timeText(moment)}${moment.zone === 0 ? 'Z' : zoneText(moment.zone, ':')}`],
  ['std11', ({ ms, zone }) => formatDate(ms, zone)],
  ['zone', ({ zone }) => zoneText(zone)],
  ['weekday', ({ local }) => String(local.getUTCDay())],
]);

function at(ms: number, zone: number): Moment {
  return { ms, zone, local: new Date(ms + zone * 60_000) };
}

/** "+hhmm"; null when it is no zone. */
function parseZone(text: string): number | null {
  const found = /^([+-])([0-9]{2})([0-5][0-9])$/.exec(text);
  if (found === null) return null;
  const minutes = Number(found[2]) * 60 + Number(found[3]);
  return found[1] === '-' ? -minutes : minutes;
}

/** The zone a date field was written in: what separates the clock in it from the moment that it means. */
function zoneOf(text: string, ms: number): number {
  const numeric = /[0-9][ \t]+(?:GMT|UTC?)?([+-][0-9]{4})(?:[ \t]|$|\()/i.exec(text.slice(0, 200));
  const known = numeric === null ? null : parseZone(numeric[1]!);
  if (known !== null) return known;
  const bare = parseDate(text.slice(0, 200).replace(/([0-9]:[0-9]{2}(?::[0-9]{2})?)[ \t].*$/, '$1 +0000'));
  const minutes = bare === null ? 0 : Math.round((bare - ms) / 60_000);
  return Math.abs(minutes) <= 24 * 60 ? minutes : 0;
}

function partOf(call: Call, text: Text): (name: string) => ((moment: Moment) => string) | null {
  if (text.constant !== null && !PARTS.has(text.constant.toLowerCase())) call.problem(`there is no date part "${text.constant.slice(0, 60)}"`, text.line);
  return (name) => PARTS.get(name.toLowerCase()) ?? null;
}

/** Minutes of `:zone`; null: not given. */
function givenZone(call: Call): number | null {
  const text = call.text(':zone');
  if (text === null) return null;
  return parseZone(text.constant!) ?? call.problem(':zone takes "+hhmm" or "-hhmm"', text.line);
}

function date(call: Call): Step<boolean> {
  const part = call.needText('part');
  const read = partOf(call, part);
  const zone = givenZone(call);
  const isOriginal = call.has(':originalzone');
  const values = mapStep(selectFields(call, fieldNames(call, 'name')), (run, fields) => {
    const show = read(part.value(run));
    if (show === null) return [];
    // Received has its date behind the last semicolon; the first field that holds a date counts when no :index says which.
    for (const { text } of fields) {
      const written = text.slice(text.lastIndexOf(';') + 1).trim();
      const ms = parseDate(written);
      if (ms !== null) return [show(at(ms, isOriginal ? zoneOf(written, ms) : (zone ?? run.input.zoneMinutes)))];
    }
    return [];
  });
  return matchTest(call, values, call.needTexts('keys'));
}

function currentDate(call: Call): Step<boolean> {
  const part = call.needText('part');
  const read = partOf(call, part);
  const zone = givenZone(call);
  const values: Step<readonly string[]> = {
    now(run) {
      const show = read(part.value(run));
      return show === null ? [] : [show(at(run.input.at, zone ?? run.input.zoneMinutes))];
    },
  };
  return matchTest(call, values, call.needTexts('keys'));
}

const ZONE = { name: 'zone', argument: 'string', group: 'zone', isConstant: true } as const;
const KEYS = { name: 'keys', type: 'strings' } as const;
const PART = { name: 'part', type: 'string' } as const;

export const DATE: Extension = {
  name: 'date',
  tests: [
    {
      name: 'date',
      tags: [ZONE, { name: 'originalzone', argument: null, group: 'zone' }],
      tagSets: ['match', 'index'],
      positional: [{ name: 'name', type: 'strings' }, PART, KEYS],
      compile(call) {
        if (call.needTexts('name').items.length !== 1) call.problem('date takes the name of one header field');
        return date(call);
      },
    },
    { name: 'currentdate', tags: [ZONE], tagSets: ['match'], positional: [PART, KEYS], compile: currentDate },
  ],
};
