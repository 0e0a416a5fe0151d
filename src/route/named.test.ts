import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePipeTransport, parseSmtpTransport, type PipeTransport } from './named.ts';
import { type PipeJob, pipeArguments } from './pipe-arguments.ts';
import { at } from './testing.ts';

function pipe(line: string): PipeTransport {
  const parsed = parsePipeTransport(line);
  assert.ok(typeof parsed !== 'string', String(parsed));
  return parsed;
}

test('a pipe transport is read as master.cf has it', () => {
  const vac = pipe(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    'vac flags=DRhu user=vmail:mail directory=/srv size=1000000 timeLimit=30m null_sender= argv=/usr/bin/vac -f ${sender} -- {a b} $(recipient) $$',
  );
  assert.deepEqual(
    { ...vac },
    {
      ...{ kind: 'pipe', name: 'vac', user: 'vmail', group: 'mail', directory: '/srv', flags: 'DRhu', eol: '\n', sizeMax: 1_000_000 },
      ...{ timeLimitMs: 1_800_000, nullSender: '', concurrency: null, rateDelayMs: null, recipientsMax: 1 },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
      argv: ['/usr/bin/vac', '-f', '${sender}', '--', 'a b', '$(recipient)', '$$'],
    },
  );
  assert.equal(pipe('p user=games eol=\\r\\n recipients=5 argv= /bin/x').recipientsMax, 5);
  assert.equal(pipe('p user=games eol=\\r\\n argv= /bin/x').eol, '\r\n');
});

for (const [line, sentence] of [
  ['', /must begin with the name/],
  ['smtp user=x argv=/x', /is a transport already/],
  ['p argv=/x', /user= is missing/],
  ['p user=root argv=/x', /never run as root/],
  ['p user=games', /argv= with the program/],
  ['p user=games argv=', /argv= with the program/],
  ['p user=games flags=Z argv=/x', /no flag "Z"/],
  ['p user=games directory=srv argv=/x', /full path/],
  ['p user=games size=big argv=/x', /will not do/],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
  ['p user=games argv=/x ${nosuch}', /no macro/],
  ['p user=games argv=/x $', /no macro/],
  ['p user=games argv=/x {a', /brace/],
  ['p user=games what=1 argv=/x', /no attribute/],
  ['p user=games flags=D recipients=2 argv=/x', /one recipient/],
  ['p user=games eol=\\q argv=/x', /escape/],
] as const)
  test(`not a pipe transport: ${line}`, () => assert.match(parsePipeTransport(line) as string, sentence));

test('an SMTP transport has settings of its own', () => {
  const slow = parseSmtpTransport('slow concurrency=2 rateDelay=500ms tls=verify helo=mx.test fallback=[a.test],b.test:587');
  assert.ok(typeof slow !== 'string');
  assert.deepEqual(
    [slow.concurrency, slow.rateDelayMs, slow.tls, slow.heloName, slow.fallback, slow.port],
    [2, 500, 'verify', 'mx.test', ['[a.test]', 'b.test:587'], null],
  );
});
for (const line of ['', 'relay', 'x concurrency=0', 'x port=70000', 'x tls=maybe', 'x nosuch=1', 'x concurrency', 'x user=me', 'x rateDelay=1y', 'a/b'])
  test(`not an SMTP transport: ${JSON.stringify(line)}`, () => assert.equal(typeof parseSmtpTransport(line), 'string'));

describe('the arguments of', () => {
  const job = (sender: string | null, ...recipients: string[]): PipeJob => ({
    sender: sender === null ? null : at(sender),
    recipients: recipients.map((text) => ({ address: at(text), original: null })),
    nexthop: 'Next.Hop',
    queueId: 'q1',
    size: 42,
    delimiters: '+',
    clientAddress: '192.0.2.1',
  });
  const rows: [line: string, job: PipeJob, ...words: string[]][] = [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    ['/x -f ${sender} -- ${recipient}', job('s@x.test', 'a@b.test'), '/x', '-f', 's@x.test', '--', 'a@b.test'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    ['/x ${recipient} end', job('s@x.test', 'a@b.test', 'c@d.test'), '/x', 'a@b.test', 'c@d.test', 'end'],
    ['/x $user=$extension@$domain', job('s@x.test', 'A+b@B.test', 'c@d.test'), '/x', 'A=b@b.test', 'c=@d.test'],
    ['/x -f$sender', job(null, 'a@b.test'), '/x', '-fMAILER-DAEMON'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    ['/x ${nexthop} $size $queue_id ${client_address} ${client_helo}', job('s@x.test', 'a@b.test'), '/x', 'Next.Hop', '42', 'q1', '192.0.2.1', ''],
    ['/x $$user $(mailbox)', job('s@x.test', 'A+b@b.test'), '/x', '$user', 'A+b'],
    ['/x -u $user', job('s@x.test', '+box@b.test'), '/x', '-u', '+box'],
    ['/x {$user at $domain}', job('s@x.test', 'a@b.test'), '/x', 'a at b.test'],
  ];
  for (const [argv, given, ...words] of rows) test(argv, () => assert.deepEqual(pipeArguments(pipe(`p user=games argv=${argv}`), given), words));

  test('flags fold and quote', () => {
    const quoted = job('"s t"@X.test', '"A b"@B.test');
    assert.deepEqual(pipeArguments(pipe('p flags=q user=games argv=/x $sender $recipient $user'), quoted), ['/x', '"s t"@x.test', '"A b"@b.test', 'A b']);
    assert.deepEqual(pipeArguments(pipe('p flags=uh user=games argv=/x $recipient $user $nexthop'), quoted), ['/x', 'a b@b.test', 'a b', 'next.hop']);
    assert.deepEqual(pipeArguments(pipe('p user=games argv=/x $recipient'), quoted), ['/x', 'A b@b.test']);
  });
});
