/** The test envelope (RFC 5228 section 5.4), with RFC 6009's envelope-dsn. */
import { type AddressPart, addressPart } from '../addresses.ts';
import type { Call } from '../call.ts';
import { matchTest } from '../match.ts';
import type { Extension, Step } from '../registry.ts';
import type { Run } from '../run.ts';

/** Envelope parts in lower case; each gives the texts to be compared. */
type PartReader = (run: Run, part: AddressPart) => readonly string[];

const PARTS: ReadonlyMap<string, PartReader> = new Map<string, PartReader>([
  [
    'from',
    (run, part) => {
      const { sender } = run.input.envelope;
      // The null reverse-path is an empty text, whatever part of it is asked for.
      if (sender === null) return [''];
      return some(part(sender.local, sender.domain));
    },
  ],
  [
    'to',
    (run, part) => {
      const { recipient } = run.input.envelope;
      return some(part(recipient.local, recipient.domain));
    },
  ],
]);

const DSN_PARTS: ReadonlyMap<string, PartReader> = new Map<string, PartReader>([
  ['orcpt', (run) => some(run.input.envelope.orcpt)],
  ['notify', (run) => (run.input.envelope.dsn?.notify ?? '').split(',').filter((word) => word !== '')],
  ['ret', (run) => some(run.input.envelope.dsn?.ret ?? null)],
  ['envid', (run) => some(run.input.envelope.dsn?.envid ?? null)],
]);

function some(text: string | null): readonly string[] {
  return text === null ? [] : [text];
}

function envelope(call: Call): Step<boolean> {
  const names = call.needTexts('parts');
  const part = addressPart(call);
  const known = (name: string): PartReader | undefined => PARTS.get(name) ?? (call.context.isOn('envelope-dsn') ? DSN_PARTS.get(name) : undefined);
  for (const name of names.items) {
    if (name.constant !== null && known(name.constant.toLowerCase()) === undefined) {
      call.problem(`there is no envelope part "${name.constant.slice(0, 60)}"`, name.line);
    }
  }
  const isOn = call.context.isOn('envelope-dsn');
  const values = {
    now(run: Run): readonly string[] {
      // RFC 6785 section 4.6.
      if (run.cause.kind === 'imap') run.fail('envelope can only be tested when a message is delivered');
      return names.values(run).flatMap((written) => {
        const name = written.toLowerCase();
        return (PARTS.get(name) ?? (isOn ? DSN_PARTS.get(name) : undefined))?.(run, part) ?? [];
      });
    },
  };
  return matchTest(call, values, call.needTexts('keys'));
}

export const ENVELOPE: readonly Extension[] = [
  {
    name: 'envelope',
    tests: [
      {
        name: 'envelope',
        tagSets: ['match', 'addressPart'],
        positional: [
          { name: 'parts', type: 'strings' },
          { name: 'keys', type: 'strings' },
        ],
        compile: envelope,
      },
    ],
  },
  { name: 'envelope-dsn' },
];
