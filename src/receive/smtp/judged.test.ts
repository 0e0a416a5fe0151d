/** The session and the judge beside it: what is asked when, and what is left when somebody goes in the middle of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { viewOf } from '../../mail/view.ts';
import type { JudgeSession, MessageView, Reply, Ruling, SmtpView } from '../../ports.ts';
import { makeBlobDirectories } from '../../store/blobs/files.ts';
import { createStaging } from '../../store/blobs/staging.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { dial, judgeWith, serve, talk, TestContext } from '../testing.ts';
import { Incoming } from './incoming.ts';

const NO: Reply = { code: 554, enhanced: '5.7.1', text: 'no' };
const PASSED: Ruling = { reply: null, discard: null, orders: {}, before: null, message: null };
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A judge that shows its tests the view of the session. */
function watching(context: TestContext, steps: (view: SmtpView) => Partial<JudgeSession>): void {
  context.judge = { begin: (view) => judgeWith(steps(view)).begin(view), beginSubmitted: () => assert.fail('no sendmail here') };
}

async function exchange(transcript: string, context: TestContext, mode: 'smtp' | 'submission' | 'lmtp' = 'smtp'): Promise<TestContext> {
  const listener = await serve(context, mode);
  try {
    await talk(listener, transcript);
  } finally {
    await listener.drain(0);
  }
  assert.equal(context.openWriters, 0, 'every writer was finished or aborted');
  assert.deepEqual(
    context.logged.filter(({ event }) => event === 'smtp.session.bug'),
    [],
  );
  return context;
}

const PIPELINED: readonly [title: string, transcript: string, isEarly: boolean][] = [
  [
    'commands after EHLO together',
    'C: EHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nC: RCPT TO:<alice@example.org>\nS: 250 *\nS: 250 *\nC: DATA\nS: 354 *\nC: x\nC: .\nS: 250 *',
    false,
  ],
  [
    'octets together with BDAT',
    'C: EHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nC: RCPT TO:<alice@example.org>\nC: BDAT 3\nC: a\nC: BDAT 0 LAST\nS: 250 *\nS: 250 *\nS: 250 *\nS: 250 *',
    false,
  ],
  [
    'the message together with DATA',
    'C: EHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nC: RCPT TO:<alice@example.org>\nC: DATA\nC: x\nC: .\nS: 250 *\nS: 250 *\nS: 354 *\nS: 250 *',
    true,
  ],
  [
    'MAIL together with RSET',
    'C: EHLO c.example\nS: 250 *\nC: RSET\nC: MAIL FROM:<a@example.net>\nS: 250 *\nS: 250 *\nC: RCPT TO:<alice@example.org>\nS: 250 *\nC: DATA\nS: 354 *\nC: x\nC: .\nS: 250 *',
    false,
  ],
  [
    'MAIL together with NOOP',
    'C: EHLO c.example\nS: 250 *\nC: NOOP\nC: MAIL FROM:<a@example.net>\nS: 250 *\nS: 250 *\nC: RCPT TO:<alice@example.org>\nS: 250 *\nC: DATA\nS: 354 *\nC: x\nC: .\nS: 250 *',
    true,
  ],
  [
    'MAIL together with EHLO',
    'C: EHLO c.example\nC: MAIL FROM:<a@example.net>\nS: 250 *\nS: 250 *\nC: RCPT TO:<alice@example.org>\nS: 250 *\nC: DATA\nS: 354 *\nC: x\nC: .\nS: 250 *',
    true,
  ],
  [
    'commands after HELO together',
    'C: HELO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nC: RCPT TO:<alice@example.org>\nS: 250 *\nS: 250 *\nC: DATA\nS: 354 *\nC: x\nC: .\nS: 250 *',
    true,
  ],
];
for (const [title, transcript, isEarly] of PIPELINED)
  test(`${title}: ${isEarly ? 'improper' : 'proper'} pipelining`, async () => {
    const context = new TestContext();
    const seen: boolean[] = [];
    const look = (view: SmtpView): null => {
      seen.push(view.hasEarlyInput);
      return null;
    };
    watching(context, (view) => ({ data: () => look(view), rcpt: () => (isEarly ? null : look(view)) }));
    await exchange(`S: 220 *\n${transcript}`, context);
    assert.deepEqual([...new Set(seen)], [isEarly]);
  });

test('a client named by XCLIENT is judged from the start: connection, HELO, and without what was known of the proxy', async () => {
  const context = new TestContext({ 'smtp.xclientFrom': ['127.0.0.1'] });
  const asked: string[] = [];
  watching(context, (view) => ({
    greet: (isBehindProxy) => {
      asked.push(`greet ${view.client.ip} ${isBehindProxy === true}`);
      return view.client.ip === '192.0.2.66' ? NO : null;
    },
    helo: async () => {
      asked.push(`helo ${view.client.ip}`);
      return null;
    },
    close: () => void asked.push('close'),
  }));
  await exchange(
    'S: 220 *\nC: XCLIENT ADDR=192.0.2.5\nS: 220 *\nC: EHLO c.example\nS: 250 *\nC: XCLIENT ADDR=192.0.2.66\nS: 554 5.7.1 no\nC: EHLO c.example\nS: 503 *\nC: QUIT\nS: 221 *\nS: <closed>',
    context,
  );
  assert.deepEqual(asked.slice(0, 6), ['greet 127.0.0.1 false', 'close', 'greet 192.0.2.5 true', 'helo 192.0.2.5', 'close', 'greet 192.0.2.66 true']);
});

const TOLD: readonly (readonly [attributes: string, told: SmtpView['client']['told']])[] = [
  ['ADDR=192.0.2.5', undefined],
  ['NAME=c.example', { name: 'c.example', nameStatus: 'ok', reverseName: 'c.example', reverseStatus: 'ok' }],
  ['NAME=[UNAVAILABLE]', { name: null, nameStatus: 'none', reverseName: null, reverseStatus: 'none' }],
  ['NAME=[tempunavail]', { name: null, nameStatus: 'temporary', reverseName: null, reverseStatus: 'temporary' }],
  ['NAME=[UNAVAILABLE] REVERSE_NAME=r.example', { name: null, nameStatus: 'none', reverseName: 'r.example', reverseStatus: 'ok' }],
  ['NAME=[TEMPUNAVAIL] REVERSE_NAME=[UNAVAILABLE]', { name: null, nameStatus: 'temporary', reverseName: null, reverseStatus: 'none' }],
];
for (const [attributes, told] of TOLD)
  test(`XCLIENT ${attributes} tells the judge so`, async () => {
    const context = new TestContext({ 'smtp.xclientFrom': ['127.0.0.1'] });
    const heard: SmtpView['client'][] = [];
    watching(context, (view) => ({
      greet: (isBehindProxy) => {
        if (isBehindProxy === true) heard.push(view.client);
        return null;
      },
    }));
    await exchange(`S: 220 *\nC: XCLIENT ${attributes}\nS: 220 *`, context);
    assert.deepEqual(
      heard.map((client) => [client.name, client.told]),
      [[told?.name ?? null, told]],
    );
  });

for (const attributes of ['NAME=!', 'NAME=-x.example', 'REVERSE_NAME=a..b', 'NAME', '=x', 'NAME=a+', `NAME=${'a'.repeat(256)}`, 'REVERSE_NAME=a_+0Ab'])
  test(`XCLIENT ${attributes.slice(0, 40)} is refused`, async () => {
    await exchange(`S: 220 *\nC: XCLIENT ${attributes}\nS: 501 5.5.4 *`, new TestContext({ 'smtp.xclientFrom': ['127.0.0.1'] }));
  });

test('a refusal that closes leaves nothing to say', async () => {
  const context = new TestContext();
  context.judge = judgeWith({ greet: () => ({ ...NO, closes: true }) });
  await exchange('S: 554 5.7.1 no\nS: <closed>', context);
});

test('BDAT that is refused where DATA would be: its octets are no commands, and the transaction is over', async () => {
  const context = new TestContext();
  let resets = 0;
  context.judge = judgeWith({ data: () => Promise.resolve(NO), reset: () => void (resets += 1) });
  await exchange(
    'S: 220 *\nC: EHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nC: RCPT TO:<alice@example.org>\nC: BDAT 6\nC: QUIT\nC: BDAT 6 LAST\nC: QUIT\nS: 250 *\nS: 250 *\nS: 554 5.7.1 no\nS: 503 *\nC: NOOP\nS: 250 *',
    context,
  );
  assert.equal(resets, 1);
});

test('LMTP is not judged, and does not relay though there is a judge', async () => {
  const context = new TestContext();
  context.judge = { begin: () => assert.fail('not asked'), beginSubmitted: () => assert.fail('not asked') };
  await exchange('S: 220 *\nC: LHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nS: 250 *\nC: RCPT TO:<x@example.net>\nS: 554 5.7.1 *', context, 'lmtp');
});

test('what the directory does not know is refused whatever the judge permits', async () => {
  const context = new TestContext();
  context.judge = judgeWith({});
  await exchange(
    'S: 220 *\nC: EHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nS: 250 *\nC: RCPT TO:<nobody@example.org>\nS: 550 5.1.1 *\nC: RCPT TO:<off@example.org>\nS: 550 5.2.1 *\nC: RCPT TO:<full@example.org>\nS: 452 *',
    context,
  );
});

test('a client that goes while the judge thinks, or while its edits are written, leaves nothing behind', async () => {
  for (const where of ['judge', 'rewrite'] as const) {
    const context = new TestContext();
    context.isSlowStaging = true;
    let began = (): void => {};
    const reached = new Promise<void>((resolve) => {
      began = resolve;
    });
    let goOn = (): void => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const slow: MessageView = {
      ...viewOf(Buffer.from('Subject: y\r\n\r\n')),
      bytes: null,
      async *stream() {
        began();
        await gate;
        yield Buffer.from('Subject: y\r\n\r\n');
      },
    };
    context.judge = judgeWith({
      message: async () => {
        if (where === 'judge') {
          began();
          await gate;
        }
        return { ...PASSED, before: Buffer.from('X-A: 1\r\n'), message: slow };
      },
    });
    const listener = await serve(context);
    const socket = await dial(listener);
    await talk(
      socket,
      'S: 220 *\nC: EHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nS: 250 *\nC: RCPT TO:<alice@example.org>\nS: 250 *\nC: DATA\nS: 354 *\nC: Subject: x\nC:\nC: .',
    );
    await reached;
    socket.destroy();
    while (listener.connections > 0) await nextTurn();
    goOn();
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    assert.equal(context.openWriters, 0, where);
    assert.equal(context.accepted.length, 0);
    await listener.drain(0);
  }
});

test('a disk that is full when the edits are written refuses the message for now', async () => {
  const context = new TestContext();
  context.judge = judgeWith({
    message: () => {
      context.stagingError = Object.assign(new Error('no space'), { code: 'ENOSPC' });
      return { ...PASSED, before: Buffer.from('X-A: 1\r\n'), message: viewOf(Buffer.from('y\r\n')) };
    },
  });
  await exchange(
    'S: 220 *\nC: EHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nS: 250 *\nC: RCPT TO:<alice@example.org>\nS: 250 *\nC: DATA\nS: 354 *\nC: x\nC: .\nS: 4*',
    context,
  );
  assert.equal(context.accepted.length, 0);
});

test('a server that stops while the judge thinks answers first', async () => {
  const context = new TestContext();
  let goOn = (): void => {};
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let began = (): void => {};
  const reached = new Promise<void>((resolve) => {
    began = resolve;
  });
  context.judge = judgeWith({
    message: async () => {
      began();
      await gate;
      return PASSED;
    },
  });
  const listener = await serve(context);
  const socket = await dial(listener);
  await talk(
    socket,
    'S: 220 *\nC: EHLO c.example\nS: 250 *\nC: MAIL FROM:<a@example.net>\nS: 250 *\nC: RCPT TO:<alice@example.org>\nS: 250 *\nC: DATA\nS: 354 *\nC: x\nC: .',
  );
  await reached;
  const drained = listener.drain(10_000);
  goOn();
  await talk(socket, 'S: 250 2.0.0 *\nS: 421 *\nS: <closed>');
  await drained;
  assert.equal(context.accepted.length, 1);
});

test('edits that fail or come after the end leave no writer open', async () => {
  const context = new TestContext();
  const incoming = new Incoming(context.loop.staging, 1000, [], SILENT_LOG);
  await incoming.prepend(Buffer.from('Received: x\r\n'));
  await incoming.write(Buffer.from('A: b\r\n\r\nc\r\n'));
  await incoming.complete();
  const rewriting = incoming.rewrite(Buffer.from('X: 1\r\n'), {
    ...incoming.view()!,
    bytes: null,
    async *stream() {
      yield Buffer.from('A: b\r\n');
      throw new Error('the milter took its body away');
    },
  });
  incoming.abort();
  await rewriting;
  assert.equal(await incoming.finish(), null);
  assert.equal(context.openWriters, 0);
});

test('a message of several frames is edited from file to file, and only one file is left', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-judged-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const blobDir = join(folder, 'blobs');
  makeBlobDirectories(blobDir);
  const files = (): string[] => readdirSync(blobDir, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));
  for (const end of ['finish', 'abort', 'abortWhileWriting'] as const) {
    const incoming = new Incoming(createStaging({ blobDir, inlineBytesMax: 1000 }), 10_000_000, [], SILENT_LOG);
    await incoming.prepend(Buffer.from('Received: us\r\n'));
    await incoming.write(Buffer.from('Subject: large\r\n\r\n'));
    for (let line = 0; line < 9000; line += 1) await incoming.write(Buffer.from(`${Math.sin(line)} ${'z'.repeat(60)}\r\n`));
    await incoming.complete();
    const view = incoming.view()!;
    assert.equal(view.bytes, null);
    const before = files();
    const rewriting = incoming.rewrite(Buffer.from('X-Above: 1\r\n'), view);
    if (end === 'abortWhileWriting') incoming.abort();
    await rewriting;
    const finished = await incoming.finish();
    if (end === 'finish') {
      assert.equal(finished?.size, view.size + 'Received: us\r\nX-Above: 1\r\n'.length);
      assert.ok(finished?.blob.kind === 'file');
      incoming.settle({ reply: { code: 250, enhanced: '2.0.0', text: '' }, perRecipient: [] });
    } else if (end === 'abort') incoming.abort();
    for (let turn = 0; turn < 200 && files().length > 1; turn += 1) await nextTurn();
    assert.equal(files().length, 1, `${end}: ${before.length} before`);
  }
});

test('ETRN sets the mail of a domain in motion once, however often it is asked', async () => {
  const context = new TestContext();
  context.judge = judgeWith({ etrn: (domain) => (domain === 'theirs.example' ? null : Promise.resolve(NO)) });
  const retried: unknown[] = [];
  const loop = context.loop as { -readonly [K in keyof typeof context.loop]: unknown };
  loop.reader = { rows: () => [[5], [6]] };
  loop.writer = { run: async (name: string, input: unknown) => retried.push([name, input]) };
  await exchange(
    'S: 220 *\nC: EHLO c.example\nS: 250 *\nC: ETRN elsewhere.example\nS: 554 *\nC: ETRN theirs.example\nS: 250 *started\nC: ETRN @Theirs.Example\nS: 250 *already\nC: ETRN theirs.example;x\nS: 501 *',
    context,
  );
  assert.deepEqual(retried, [['queue.retry', { entryIds: [5, 6] }]]);
});
