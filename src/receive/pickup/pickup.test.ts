import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext as NodeTest } from 'node:test';
import { TestContext } from '../testing.ts';
import { parseArguments } from './arguments.ts';
import { preparePickup } from './drop.ts';
import { EXIT } from './io.ts';
import { CrlfLines, DotEnd } from './lines.ts';
import { addressesOf, runSendmail } from './sendmail.ts';
import { userOf } from './users.ts';
import { startPickup } from './watch.ts';

function pickupDirectory(t: NodeTest): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-pickup-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  preparePickup(directory);
  return directory;
}

async function send(directory: string, argv: readonly string[], input: string, name = 'sendmail'): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  // One byte at a time: nothing may depend on where a chunk ends.
  const stdin = (async function* () {
    for (const byte of Buffer.from(input, 'latin1')) yield Uint8Array.of(byte);
  })();
  const code = await runSendmail(argv, {
    stdin,
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    directory,
    name,
    hostname: 'mx.example.org',
    printQueue: async () => {
      out += 'Mail queue is empty\n';
      return 0;
    },
  });
  return { code, out, err };
}

/** Takes everything in the directory. */
async function take(directory: string, context = new TestContext()): Promise<TestContext> {
  const pickup = startPickup(context.loop, directory);
  await pickup.scan();
  await pickup.stop();
  return context;
}
const waiting = (directory: string, folder = 'new'): string[] => readdirSync(join(directory, folder));
/** The message after our Received field, which has another form than by SMTP. */
const messageOf = (bytes: Buffer): string => bytes.toString('latin1').replace(/^Received: by [^\r]*\r\n\t[^\r]*\r\n/, '');

test('cron: a message from stdin to a local user goes all the way', async (t) => {
  const directory = pickupDirectory(t);
  assert.deepEqual(await send(directory, ['-FCronDaemon', '-i', '-odi', '-oem', '-oi', '-t', '-f', 'alice'], 'To: bob\nSubject: Cron\n\nout\n.\nput'), {
    code: EXIT.ok,
    out: '',
    err: '',
  });
  assert.equal(waiting(directory, 'tmp').length, 0);
  const context = await take(directory);
  assert.equal(waiting(directory).length, 0);
  const { envelope, bytes } = context.accepted[0]!;
  assert.deepEqual(envelope.sender, { local: 'alice', domain: 'example.org' });
  assert.deepEqual(
    envelope.recipients.map(({ address }) => address),
    [{ local: 'bob', domain: 'example.org' }],
  );
  assert.equal(envelope.source, 'pickup');
  assert.match(bytes.toString(), new RegExp(`^Received: by mx\\.example\\.org \\(Posthorn, from userid ${process.getuid!()}\\)\r\n\tid ${envelope.id}; `));
  assert.match(
    messageOf(bytes),
    /^From: CronDaemon <alice@example\.org>\r\nDate: [^\r]+\r\nMessage-ID: <\w+@mx\.example\.org>\r\nTo: bob\r\nSubject: Cron\r\n\r\nout\r\n\.\r\nput\r\n$/,
  );
});

test('PHP: -t takes recipients from To, Cc and Bcc, and Bcc goes', async (t) => {
  const directory = pickupDirectory(t);
  await send(
    directory,
    ['-t', '-i'],
    'To: Bob <bob@example.org>,\r\n a@example.net\r\ncc: alice@example.org\r\nBcc: hidden@example.net,\r\n\tother@example.net\r\nFrom: alice@example.org\r\n\r\nHi\r\n',
  );
  const { envelope, bytes } = (await take(directory)).accepted[0]!;
  assert.deepEqual(
    envelope.recipients.map(({ address }) => address.local),
    ['bob', 'a', 'alice', 'hidden', 'other'],
  );
  assert.doesNotMatch(messageOf(bytes), /bcc|hidden/i);
  assert.match(messageOf(bytes), /\r\nTo: Bob <bob@example\.org>,\r\n a@example\.net\r\ncc: /);
});

test('with Resent-To only the Resent- recipients count', async (t) => {
  const directory = pickupDirectory(t);
  await send(directory, ['-ti'], 'To: bob@example.org\nResent-To: alice@example.org\n\nx\n');
  const { envelope } = (await take(directory)).accepted[0]!;
  assert.deepEqual(
    envelope.recipients.map(({ address }) => address.local),
    ['alice'],
  );
});

test('mutt: recipients on the command line, header kept with its Bcc', async (t) => {
  const directory = pickupDirectory(t);
  await send(
    directory,
    ['-oem', '-oi', '-f', 'alice@example.org', '-N', 'never', '-R', 'hdrs', '-V', 'x1', '--', 'bob@example.org'],
    'From: a@b\nDate: now\nMessage-ID: <1@b>\nBcc: x\n\n',
  );
  const { envelope, bytes } = (await take(directory)).accepted[0]!;
  assert.equal(messageOf(bytes), 'From: a@b\r\nDate: now\r\nMessage-ID: <1@b>\r\nBcc: x\r\n\r\n');
  assert.equal(envelope.recipients[0]!.notify, 'never');
  assert.deepEqual(envelope.dsn, { envid: 'x1', ret: 'HDRS' });
});

test('without -i a line with a dot ends the message', async (t) => {
  const directory = pickupDirectory(t);
  await send(directory, ['bob'], 'Subject: x\n\none\n..\n.\ntwo\n');
  assert.match(messageOf((await take(directory)).accepted[0]!.bytes), /\r\n\r\none\r\n\.\.\r\n$/);
});

test('the owner of the file is the sender when nobody else is named', async (t) => {
  const directory = pickupDirectory(t);
  await send(directory, ['bob'], 'x\n');
  const { envelope } = (await take(directory)).accepted[0]!;
  assert.equal(envelope.sender!.local, userOf(process.getuid!()).name);
});

test('-f <> is the null sender', async (t) => {
  const directory = pickupDirectory(t);
  await send(directory, ['-f', '<>', 'bob'], 'x\n');
  assert.equal((await take(directory)).accepted[0]!.envelope.sender, null);
});

test('-bs speaks SMTP', async (t) => {
  const directory = pickupDirectory(t);
  const { out, code } = await send(
    directory,
    ['-bs'],
    'EHLO x\r\nRCPT TO:<bob>\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\nNOOP\r\n',
  );
  assert.equal(code, 0);
  assert.deepEqual(
    out.split('\r\n').map((line) => line.slice(0, 4)),
    ['220 ', '250-', '250-', '250-', '250-', '250 ', '503 ', '250 ', '250 ', '354 ', '250 ', '221 ', ''],
  );
  assert.match(messageOf((await take(directory)).accepted[0]!.bytes), /Subject: x\r\n\r\n\.\r\n$/);
});

test('-bp, mailq, newaliases and -q', async (t) => {
  const directory = pickupDirectory(t);
  assert.equal((await send(directory, ['-bp'], '')).out, 'Mail queue is empty\n');
  assert.equal((await send(directory, [], '', 'mailq')).out, 'Mail queue is empty\n');
  assert.equal((await send(directory, [], '', 'newaliases')).code, 0);
  assert.equal((await send(directory, ['-q30m'], '')).code, 0);
});

const MISTAKES: readonly (readonly [argv: readonly string[], input: string, code: number, message: RegExp])[] = [
  [[], 'x\n', EXIT.usage, /no recipients/],
  [['-t'], 'Subject: x\n\n', EXIT.usage, /no recipients in the header/],
  [['-bd'], '', EXIT.usage, /posthorn start/],
  [['-bz'], '', EXIT.usage, /not supported/],
  [['-f'], '', EXIT.usage, /needs a value/],
  [['-k', 'bob'], '', EXIT.usage, /unknown option -k/],
  [['bob@@example.org'], '', EXIT.data, /is no address/],
  [['-f', 'a@@b', 'bob'], '', EXIT.data, /is no address/],
];
for (const [argv, input, code, message] of MISTAKES)
  test(`sendmail ${argv.join(' ')} ends with ${code}`, async (t) => {
    const directory = pickupDirectory(t);
    const result = await send(directory, argv, input);
    assert.equal(result.code, code);
    assert.match(result.err, message);
    assert.deepEqual([...waiting(directory), ...waiting(directory, 'tmp')], []);
  });

test('a missing directory means: try again', async () => {
  const result = await send('/nonexistent/pickup', ['bob'], 'x\n');
  assert.equal(result.code, EXIT.tempFail);
  assert.match(result.err, /cannot leave the message in \/nonexistent\/pickup/);
});

test('the directory lets everybody write and nobody else look', (t) => {
  const directory = pickupDirectory(t);
  assert.deepEqual(
    ['tmp', 'new', 'bad'].map((name) => statSync(join(directory, name)).mode & 0o7777),
    [0o1733, 0o1733, 0o700],
  );
});

test('an unknown recipient is told to the sender, the others get the message', async (t) => {
  const directory = pickupDirectory(t);
  const context = new TestContext();
  context.perRecipient = { nobody: { code: 550, enhanced: '5.1.1', text: 'No such user here' } };
  const notices: string[] = [];
  const { intake } = context.loop;
  const { accept } = intake;
  intake.accept = async (envelope, message) => {
    if (envelope.source !== 'bounce') return accept(envelope, message);
    assert.equal(envelope.sender, null);
    assert.ok(message.blob.kind === 'inline');
    notices.push(Buffer.from(message.blob.data).toString());
    return { reply: context.reply, perRecipient: [] };
  };
  await send(directory, ['-f', 'alice@example.org', 'bob', 'nobody'], 'Subject: x\n\n');
  await take(directory, context);
  assert.equal(context.accepted.length, 1);
  assert.match(notices[0]!, /^To: alice@example\.org\r$/m);
  assert.match(notices[0]!, /^Final-Recipient: rfc822; nobody@example\.org\r\nAction: failed\r\nStatus: 5\.1\.1\r$/m);
  assert.match(notices[0]!, /^Diagnostic-Code: X-Posthorn; 550 5\.1\.1 No such user here\r$/m);
  assert.match(notices[0]!, /\r\nContent-Type: text\/rfc822-headers\r\n\r\nSubject: x\r\n/);
  assert.equal(waiting(directory).length, 0);
});

test('a message that was accepted is not thrown away afterwards, one that was refused is', async (t) => {
  const directory = pickupDirectory(t);
  const context = new TestContext();
  await send(directory, ['-f', 'alice@example.org', 'bob'], 'Subject: x\n\nx\n');
  await take(directory, context);
  assert.deepEqual([context.accepted.length, context.discarded], [1, 0]);
  context.reply = { code: 550, enhanced: '5.1.1', text: 'No such user here' };
  await send(directory, ['-f', 'alice@example.org', 'nobody'], 'Subject: x\n\nx\n');
  await take(directory, context);
  assert.equal(context.discarded, 1);
});

test('two thousand unknown recipients make one report, and nobody gets the message twice', async (t) => {
  const directory = pickupDirectory(t);
  const context = new TestContext();
  const names = Array.from({ length: 1999 }, (_, i) => `nobody${i}`);
  for (const name of names) context.perRecipient[name] = { code: 550, enhanced: '5.1.1', text: 'No such user here' };
  const told: string[] = [];
  const { accept } = context.loop.intake;
  context.loop.intake.accept = (envelope, message) => {
    told.push(envelope.source);
    return envelope.source === 'bounce' ? Promise.resolve({ reply: context.reply, perRecipient: [] }) : accept(envelope, message);
  };
  await send(directory, ['-f', 'alice@example.org', 'bob', ...names], 'Subject: x\n\n');
  await take(directory, context);
  await take(directory, context);
  assert.deepEqual(told, ['pickup', 'bounce']);
  assert.deepEqual(waiting(directory), []);
});

test('the directory is open to everybody under a closed umask too', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-pickup-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const before = process.umask(0o077);
  try {
    preparePickup(join(directory, 'pickup'));
  } finally {
    process.umask(before);
  }
  const mode = (name: string): number => statSync(join(directory, 'pickup', name)).mode & 0o7777;
  assert.deepEqual(['.', 'tmp', 'new', 'bad'].map(mode), [0o755, 0o1733, 0o1733, 0o700]);
});

test('a message that cannot be taken now stays, and is taken later', async (t) => {
  const directory = pickupDirectory(t);
  const context = new TestContext();
  context.reply = { code: 451, enhanced: '4.3.0', text: 'Store busy' };
  await send(directory, ['bob'], 'x\n');
  await take(directory, context);
  assert.equal(waiting(directory).length, 1);
  context.reply = { code: 250, enhanced: '2.0.0', text: 'OK' };
  await take(directory, context);
  assert.equal(waiting(directory).length, 0);
  assert.equal(context.accepted.length, 1);
});

test('a file that makes no sense is put aside', async (t) => {
  const directory = pickupDirectory(t);
  const into = join(directory, 'new');
  writeFileSync(join(into, '1-empty'), '');
  writeFileSync(join(into, '2-json'), 'hello\n');
  writeFileSync(join(into, '3-nobody'), '{"version":1,"recipients":[]}\n');
  writeFileSync(join(into, '4-version'), '{"version":2,"recipients":["bob"]}\n');
  writeFileSync(join(into, '5-address'), '{"version":1,"recipients":["b ob"]}\n');
  writeFileSync(join(into, '6-types'), '{"version":1,"recipients":["bob"],"sender":{"a":1}}\n');
  symlinkSync('/etc/passwd', join(into, '7-link'));
  writeFileSync(join(directory, 'other'), '{"version":1,"recipients":["bob"]}\nx');
  linkSync(join(directory, 'other'), join(into, '8-hardlink'));
  const context = await take(directory);
  assert.equal(context.accepted.length, 0);
  assert.deepEqual(waiting(directory), []);
  assert.equal(waiting(directory, 'bad').length, 8);
});

test('a FIFO is not waited for', async (t) => {
  const directory = pickupDirectory(t);
  execFileSync('mkfifo', [join(directory, 'new', 'fifo')]);
  await take(directory);
  assert.deepEqual(waiting(directory, 'bad'), ['fifo']);
});

test('a message that is too large is told to the sender', async (t) => {
  const directory = pickupDirectory(t);
  const context = new TestContext({ 'smtp.messageBytesMax': 65_536 });
  await send(directory, ['-f', 'alice@example.org', 'bob'], `Subject: x\n\n${'line of text\n'.repeat(6000)}`);
  const { intake } = context.loop;
  const told: string[] = [];
  intake.accept = async (envelope) => {
    told.push(envelope.source);
    return { reply: context.reply, perRecipient: [] };
  };
  await take(directory, context);
  assert.deepEqual(told, ['bounce']);
  assert.deepEqual(waiting(directory), []);
});

test('a message that arrives while the server runs is noticed', async (t) => {
  const directory = pickupDirectory(t);
  const context = new TestContext();
  const arrived = new Promise<void>((resolve) => {
    const { intake } = context.loop;
    const { accept } = intake;
    intake.accept = (envelope, message) => {
      resolve();
      return accept(envelope, message);
    };
  });
  const pickup = startPickup(context.loop, directory);
  await pickup.scan();
  // The watcher does not keep the program alive; the test must.
  const alive = setInterval(() => {}, 1000);
  await send(directory, ['bob'], 'x\n');
  await arrived;
  clearInterval(alive);
  await pickup.stop();
  assert.equal(context.accepted.length, 1);
});

test('options are read as getopt reads them', () => {
  const parsed = parseArguments('sendmail', ['-tif', 'a@b', '-FName', '-Ooption', '-o', 'em', '-h', '5', 'x', '-v', 'y', '-']);
  assert.ok(parsed.kind === 'ok');
  assert.deepEqual(parsed.value, {
    mode: 'submit',
    fromHeader: true,
    ignoresDots: true,
    sender: 'a@b',
    fullName: 'Name',
    notify: undefined,
    ret: undefined,
    envid: undefined,
    recipients: ['x', 'y', '-'],
  });
});

test('one argument may hold several addresses', () => {
  assert.deepEqual(addressesOf('a@b.c, "Bob, B" <b@c.d>, root'), ['a@b.c', 'b@c.d', 'root']);
  assert.equal(addressesOf(''), null);
  assert.equal(addressesOf('a@b@c'), null);
});

test('all line endings become CRLF, however the input is cut', () => {
  const input = 'a\nb\r\nc\rd\r\re\0\n\nf';
  for (let cut = 0; cut <= input.length; cut += 1) {
    const lines = new CrlfLines();
    const out = Buffer.concat([lines.push(Buffer.from(input.slice(0, cut))), lines.push(Buffer.from(input.slice(cut))), lines.end()]);
    assert.equal(out.toString(), 'a\r\nb\r\nc\r\nd\r\n\r\ne\r\n\r\nf\r\n', `cut at ${cut}`);
  }
});

for (const [input, text] of [
  ['.\nx', ''],
  ['a\n.\nx', 'a\n'],
  ['a\r\n.\r\nx', 'a\r\n'],
  ['a.\n.', 'a.\n.'],
  ['a\n..\n', 'a\n..\n'],
  ['a\n.\r', 'a\n.\r'],
  ['a\n.\rb\n.b', 'a\n.\rb\n.b'],
] as const)
  test(`dot end of ${JSON.stringify(input)}`, () => {
    for (let first = 0; first <= input.length; first += 1) {
      for (let second = first; second <= input.length; second += 1) {
        const dots = new DotEnd();
        let out = '';
        let isEnd = false;
        for (const part of [input.slice(0, first), input.slice(first, second), input.slice(second)]) {
          if (isEnd) break;
          const result = dots.push(Buffer.from(part));
          out += Buffer.from(result.bytes).toString();
          isEnd = result.isEnd;
        }
        if (!isEnd) out += Buffer.from(dots.end()).toString();
        assert.equal(out, text, `cut at ${first}, ${second}`);
      }
    }
  });

test('users have names', () => {
  assert.equal(userOf(0).name, 'root');
  assert.equal(userOf(987_654).name, 'uid987654');
  assert.match(readFileSync('/etc/passwd', 'utf8'), /root/);
});
