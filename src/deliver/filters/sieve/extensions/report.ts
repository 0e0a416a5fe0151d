/** vnd.dovecot.report: abuse reports (RFC 5965). */
import { createHash } from 'node:crypto';
import { boundaryFor, formatMailbox, textBody, textField } from '../../../../mail/compose.ts';
import { formatDate } from '../../../../mail/date.ts';
import { foldHeader } from '../../../../mail/header.ts';
import type { Address } from '../../../../ports.ts';
import { addressText, parseSieveAddress } from '../addresses.ts';
import type { Call } from '../call.ts';
import type { Extension, Step } from '../registry.ts';
import type { Flow, Run, Steps } from '../run.ts';

/** token (RFC 2045 section 5.1). */
const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,60}$/;

function report(call: Call): Step<Flow> {
  const type = call.needText('type');
  if (type.constant !== null && !TOKEN.test(type.constant)) call.problem(`"${type.constant.slice(0, 60)}" is no feedback type`, type.line);
  const text = call.needText('text');
  const recipient = call.needText('recipient');
  if (recipient.constant !== null && parseSieveAddress(recipient.constant) === null) {
    call.problem(`"${recipient.constant.slice(0, 100)}" is no address`, recipient.line);
  }
  const isHeaderOnly = call.has(':headers_only');
  const { line } = call;
  return {
    *ask(run) {
      const feedback = type.value(run);
      if (!TOKEN.test(feedback)) run.fail(`"${feedback.slice(0, 60)}" is no feedback type`);
      const written = recipient.value(run);
      const to = parseSieveAddress(written) ?? run.fail(`"${written.slice(0, 100)}" is no address`);
      // Section 3: never to the account that runs the script.
      if (addressText(to).toLowerCase() === addressText(run.input.envelope.final).toLowerCase()) return undefined;
      const message = yield* compose(run, feedback, text.value(run), to, isHeaderOnly);
      run.result.add(
        { kind: 'send', origin: run.origin(line), message, to: [to], sender: null },
        { key: `report ${feedback.toLowerCase()} ${addressText(to)}` },
      );
      return undefined;
    },
  };
}

function* compose(run: Run, feedback: string, text: string, to: Address, isHeaderOnly: boolean): Steps<{ header: Uint8Array; body: Uint8Array }> {
  const { input } = run;
  const original = isHeaderOnly ? run.message.header.bytes : yield* run.message.bytes(run.limits.bodyBytes);
  const { charset, encoding, body } = textBody(text);
  const id = createHash('sha256')
    .update(`${input.at} ${feedback} ${addressText(to)}`)
    .update(run.message.header.bytes)
    .digest('hex')
    .slice(0, 24);
  const boundary = boundaryFor(id, [original, body]);
  const sender = input.envelope.sender;
  const subject = run.message.header.text('subject') ?? '';
  const header = [
    foldHeader('Message-ID', `<${id}@${input.hostname}>`),
    foldHeader('Date', formatDate(input.at, input.zoneMinutes)),
    foldHeader('From', formatMailbox('Postmaster', { local: 'postmaster', domain: input.domain })),
    foldHeader('To', formatMailbox(null, to)),
    textField('Subject', `Report: ${subject}`),
    'Auto-Submitted: auto-generated (report)\r\n',
    'MIME-Version: 1.0\r\n',
    `Content-Type: multipart/report; report-type=feedback-report;\r\n boundary="${boundary}"\r\n`,
    '\r\n',
  ].join('');
  const front = [
    `--${boundary}\r\nContent-Type: text/plain; charset=${charset}\r\nContent-Transfer-Encoding: ${encoding}\r\nContent-Disposition: inline\r\n\r\n${body}\r\n`,
    `--${boundary}\r\nContent-Type: message/feedback-report\r\n\r\nVersion: 1\r\nFeedback-Type: ${feedback}\r\nUser-Agent: Posthorn\r\n`,
    `Original-Mail-From: <${sender === null ? '' : addressText(sender)}>\r\n\r\n`,
    `--${boundary}\r\nContent-Type: ${isHeaderOnly ? 'text/rfc822-headers' : 'message/rfc822'}\r\nContent-Disposition: attachment\r\n\r\n`,
  ].join('');
  return { header: Buffer.from(header), body: Buffer.concat([Buffer.from(front), original, Buffer.from(`\r\n--${boundary}--\r\n`)]) };
}

export const REPORT: Extension = {
  name: 'vnd.dovecot.report',
  commands: [
    {
      name: 'report',
      tags: [{ name: 'headers_only', argument: null }],
      positional: [
        { name: 'type', type: 'string' },
        { name: 'text', type: 'string' },
        { name: 'recipient', type: 'string' },
      ],
      compile: report,
    },
  ],
};
