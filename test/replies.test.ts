/** Automatic replies: Debian's Pigeonhole and our planner with the same messages. Who is answered, and what the answer says. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { VacationAction } from '../src/deliver/reply/vacation.ts';
import { planVacation } from '../src/deliver/reply/vacation.ts';
import { readHeaderFacts } from '../src/deliver/reply/header-facts.ts';
import { REPLY_SETTINGS } from '../src/deliver/reply/settings.ts';
import { parseMailbox } from '../src/mail/address.ts';
import { decodeHeaderValue } from '../src/mail/text.ts';
import { fieldName, scanHeaders } from '../src/mail/header.ts';
import { decodeTransfer } from '../src/mail/transfer.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { need } from './harness/run.ts';
import { CASES, type ReplyCase } from './replies/cases.ts';

const run = promisify(execFile);
const USUAL = ['From: Bob <bob@example.com>', 'To: anna@example.org', 'Subject: hello', 'Message-ID: <m1@example.com>'];

function messageOf({ lines = [] }: ReplyCase): Buffer {
  const names = new Set(lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase()));
  const all = [...USUAL.filter((line) => !names.has(line.slice(0, line.indexOf(':')).toLowerCase())), ...lines.filter((line) => !line.endsWith(':'))];
  return Buffer.from(`${all.join('\r\n')}\r\n\r\nhi\r\n`);
}

/** What both sides must agree on. */
interface Answer {
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}
const COMPARED = ['from', 'to', 'subject', 'in-reply-to', 'references', 'auto-submitted', 'precedence', 'x-auto-response-suppress', 'mime-version'];

function answerOf(message: Buffer): Answer {
  const { fields, end } = scanHeaders(message);
  const values = new Map(
    fields.map((field) => [
      fieldName(message, field).toLowerCase(),
      decodeHeaderValue(message.subarray(field.valueStart, field.valueEnd)).replace(/\s+/g, ' ').trim(),
    ]),
  );
  const body = Buffer.from(decodeTransfer(message.subarray(end), values.get('content-transfer-encoding') ?? '')).toString();
  const compared = Object.fromEntries(
    COMPARED.flatMap((name) => (values.has(name) ? [[name, name === 'to' ? address(values.get(name)!) : values.get(name)!]] : [])),
  );
  return { fields: { ...compared, type: (values.get('content-type') ?? '').split(';')[0]! }, body: body.replaceAll('\r\n', '\n').trim() };
}
const address = (text: string): string => /<(.*)>/.exec(text)?.[1] ?? text;

async function theirs(directory: string, of: ReplyCase): Promise<Answer | null> {
  writeFileSync(join(directory, 's.sieve'), `require "vacation";\nvacation ${of.vacation ?? '"away"'};\n`);
  writeFileSync(join(directory, 'm.eml'), messageOf(of));
  rmSync(join(directory, '.dovecot.lda-dupes'), { force: true });
  const args = [
    '-c',
    'dovecot.conf',
    '-e',
    '-f',
    of.sender ?? 'bob@example.com',
    '-r',
    'anna@example.org',
    '-l',
    `maildir:${directory}/mail`,
    's.sieve',
    'm.eml',
  ];
  const { stdout, stderr } = await run('sieve-test', args, {
    cwd: directory,
    env: { PATH: process.env.PATH!, HOME: directory },
    uid: 65534,
    gid: 65534,
    timeout: 30_000,
  });
  assert.match(stderr, /final result: success/);
  const begin = stdout.search(/^X-Sieve: /m);
  if (begin === -1) return null;
  return answerOf(Buffer.from(stdout.slice(begin, stdout.indexOf('\nRECIPIENT: ', begin))));
}

function ours(of: ReplyCase): Answer | null {
  const given = of.vacation ?? '"away"';
  const strings = [...given.matchAll(/"([^"]*)"/g)].map((match) => match[1]!);
  const action: VacationAction = {
    kind: 'vacation',
    origin: { file: 's.sieve', line: 2 },
    message: null,
    subject: given.startsWith(':subject') ? strings[0]! : null,
    from: null,
    addresses: given.startsWith(':addresses') ? [strings[0]!] : [],
    handle: 'h',
    isMime: given.startsWith(':mime'),
    text: strings.at(-1)!,
    periodSeconds: 86_400,
    fcc: null,
  };
  const owner = { local: 'anna', domain: 'example.org' };
  const plan = planVacation(
    action,
    {
      id: 'x',
      at: Date.now(),
      hostname: 'mx.example.org',
      owner,
      ownerName: null,
      ownAddresses: ['anna@example.org'],
      repliesToday: 0,
      sender: parseMailbox(of.sender ?? 'bob@example.com'),
      recipient: owner,
      header: readHeaderFacts(messageOf(of)),
      isSpam: false,
      settings: defaultsOf(REPLY_SETTINGS),
    },
    () => false,
  );
  return plan.kind === 'send' ? answerOf(plan.bytes) : null;
}

test('Pigeonhole and Posthorn answer the same messages in the same words', async (t) => {
  need('sieve-test');
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-replies-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o777);
  writeFileSync(
    join(directory, 'dovecot.conf'),
    `mail_location = maildir:${directory}/mail\nmail_uid = 65534\nmail_gid = 65534\nfirst_valid_uid = 1\nlog_path = /dev/stderr\nbase_dir = ${directory}/run\n`,
  );
  const explained = readFileSync(resolve(import.meta.dirname, '../docs/filter-differences.md'), 'utf8');
  for (const of of CASES)
    await t.test(of.name, async () => {
      const [their, our] = [await theirs(directory, of), ours(of)];
      if (of.differs === undefined) assert.deepEqual(our, their);
      else {
        assert.ok(explained.includes(`| ${of.differs} |`), `docs/filter-differences.md says nothing of "${of.differs}"`);
        assert.notDeepEqual(our, their, 'no longer different');
      }
    });
});
