/** RFC 5230 and RFC 6131: vacation. Whether a reply is due at all (RFC 3834) and was sent before is the driver's to know. */
import { createHash } from 'node:crypto';
import { parseSieveAddress } from '../addresses.ts';
import type { Call } from '../call.ts';
import type { Extension, Step } from '../registry.ts';
import type { Flow } from '../run.ts';
import { fccOf } from './fcc.ts';

const DAY_SECONDS = 24 * 60 * 60;
const DEFAULT_DAYS = 7;
const HANDLE_CHARS_MAX = 200;

function vacation(call: Call): Step<Flow> {
  const reason = call.needText('reason');
  const subject = call.text(':subject');
  const from = call.text(':from');
  if (from !== null && from.constant !== null && parseSieveAddress(from.constant) === null) {
    call.problem(`"${from.constant.slice(0, 100)}" is no address`, from.line);
  }
  const addresses = call.texts(':addresses');
  const handle = call.text(':handle');
  const isMime = call.has(':mime');
  const fcc = fccOf(call);
  const { limits } = call.context;
  const wanted = call.number(':seconds') ?? (call.number(':days') ?? DEFAULT_DAYS) * DAY_SECONDS;
  const periodSeconds = Math.min(Math.max(wanted, limits.vacationSecondsLeast), limits.vacationSecondsMost);
  const { line } = call;
  return {
    now(run) {
      if (run.cause.kind === 'imap') run.fail('vacation can only be used when a message is delivered');
      const text = reason.value(run);
      const subjectText = subject?.value(run) ?? null;
      const fromText = from?.value(run) ?? null;
      if (fromText !== null && parseSieveAddress(fromText) === null) run.fail(`"${fromText.slice(0, 100)}" is no address`);
      run.result.add(
        {
          kind: 'vacation',
          origin: run.origin(line),
          message: null,
          subject: subjectText,
          from: fromText,
          // One that is no address cannot be anybody's: it is passed over (as in Pigeonhole).
          addresses: (addresses?.values(run) ?? []).filter((address) => parseSieveAddress(address) !== null),
          handle: handle === null ? implicitHandle(subjectText, fromText, isMime, text) : handle.value(run).slice(0, HANDLE_CHARS_MAX),
          isMime,
          text,
          periodSeconds,
          fcc: fcc(run),
        },
        {},
      );
      return undefined;
    },
  };
}

/** RFC 5230 section 4.7: replies are the same when their text, subject, sender and form are. */
function implicitHandle(subject: string | null, from: string | null, isMime: boolean, text: string): string {
  return createHash('sha256')
    .update(JSON.stringify([subject, from, isMime, text]))
    .digest('hex')
    .slice(0, 32);
}

export const VACATION: readonly Extension[] = [
  {
    name: 'vacation',
    commands: [
      {
        name: 'vacation',
        tags: [
          { name: 'days', argument: 'number', group: 'period' },
          { name: 'subject', argument: 'string' },
          { name: 'from', argument: 'string' },
          { name: 'addresses', argument: 'strings' },
          { name: 'mime', argument: null },
          { name: 'handle', argument: 'string' },
        ],
        positional: [{ name: 'reason', type: 'string' }],
        compile: vacation,
      },
    ],
  },
  { name: 'vacation-seconds', implies: ['vacation'], tags: { vacation: [{ name: 'seconds', argument: 'number', group: 'period' }] } },
];
