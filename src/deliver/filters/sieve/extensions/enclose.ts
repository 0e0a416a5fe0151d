/** RFC 5703 section 6: enclose, the message as an attachment of a new one. */
import { createHash } from 'node:crypto';
import { isAscii } from 'node:buffer';
import { boundaryFor, formatMailbox, textField } from '../../../../mail/compose.ts';
import { formatDate } from '../../../../mail/date.ts';
import { foldHeader } from '../../../../mail/header.ts';
import type { Call } from '../call.ts';
import { isFieldName } from '../field-name.ts';
import { loopsOf } from '../mime-parts.ts';
import type { Extension, Step } from '../registry.ts';
import { chargeChange, textEntity } from '../replacing.ts';
import type { Flow, Run } from '../run.ts';

/** Trace fields stay outside as well: they are what loops are recognised by. */
const ALWAYS_COPIED: readonly string[] = ['received', 'delivered-to', 'auto-submitted'];
/** They are the new message's own. */
const NEVER_COPIED: ReadonlySet<string> = new Set(['mime-version', 'message-id', 'subject', ...ALWAYS_COPIED]);

function enclose(call: Call): Step<Flow> {
  const text = call.needText('text');
  const subject = call.text(':subject');
  const headers = call.texts(':headers');
  for (const name of headers?.items ?? []) {
    if (name.constant !== null && !isFieldName(name.constant)) call.problem(`"${name.constant.slice(0, 60)}" is no name of a header field`, name.line);
  }
  return {
    *ask(run) {
      const original = yield* run.message.bytes(Number.MAX_SAFE_INTEGER);
      const names = headers?.values(run).map((name) => name.toLowerCase()) ?? [];
      const message = newMessage(run, original, text.value(run), subject?.value(run) ?? null, names);
      chargeChange(run, message.length);
      run.charge(message.length >> 3);
      run.message.enclose(message);
      // Loops go on in the message that is inside now: the second part, and what that holds.
      for (const loop of loopsOf(run)) {
        loop.path = [...INSIDE, ...loop.path];
        loop.top += INSIDE.length;
      }
      return undefined;
    },
  };
}

const INSIDE: readonly number[] = [1, 0];

function newMessage(run: Run, original: Buffer, text: string, subject: string | null, names: readonly string[]): Buffer {
  const { input } = run;
  const { header } = run.message;
  const id = createHash('sha256').update(`${input.at} ${input.user} ${text}`).update(header.bytes).digest('hex').slice(0, 24);
  const copied = [...ALWAYS_COPIED, ...names.filter((name) => !NEVER_COPIED.has(name) && !name.startsWith('content-'))];
  const { fields, body } = textEntity(text);
  const boundary = boundaryFor(id, [original, body]);
  const is8bit = !isAscii(original);
  const head: Buffer[] = [...new Set(copied)].flatMap((name) =>
    header.named(name).map(({ start, end }) => {
      const field = header.bytes.subarray(start, end);
      return field.at(-1) === 0x0a ? field : Buffer.concat([field, Buffer.from('\r\n')]);
    }),
  );
  const add = (line: string): void => void head.push(Buffer.from(line));
  if (!names.includes('from') || header.named('from').length === 0) add(foldHeader('From', formatMailbox(null, input.envelope.final)));
  if (!names.includes('date') || header.named('date').length === 0) add(foldHeader('Date', formatDate(input.at, input.zoneMinutes)));
  add(textField('Subject', subject ?? header.text('subject') ?? ''));
  add(foldHeader('Message-ID', `<${id}@${input.hostname}>`));
  add(`MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="${boundary}"\r\n${is8bit ? 'Content-Transfer-Encoding: 8bit\r\n' : ''}\r\n`);
  const type = isAscii(header.bytes) ? 'message/rfc822' : 'message/global';
  return Buffer.concat([
    ...head,
    Buffer.from(`--${boundary}\r\n`),
    fields,
    Buffer.from('\r\n'),
    body,
    Buffer.from(`\r\n--${boundary}\r\nContent-Type: ${type}\r\n${is8bit ? 'Content-Transfer-Encoding: 8bit\r\n' : ''}Content-Disposition: attachment\r\n\r\n`),
    original,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
}

export const ENCLOSE: Extension = {
  name: 'enclose',
  commands: [
    {
      name: 'enclose',
      tags: [
        { name: 'subject', argument: 'string' },
        { name: 'headers', argument: 'strings' },
      ],
      positional: [{ name: 'text', type: 'string' }],
      compile: enclose,
    },
  ],
};
