import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseMailbox } from '../mail/address.ts';
import type { Address } from '../ports.ts';
import { isSrs, reverse, rewriteSender, type SrsNote, type SrsPolicy } from './srs.ts';
import { ensureSrsKeys, rotateSrsKeys, srsKeyFile } from './srs-keys.ts';
import { findSrsNote, srsNoteMemory, srsTarget } from './srs-target.ts';

const DAY = 86_400_000;
const NOW = 20_000 * DAY + 1234;
const KEY = Buffer.alloc(32, 7);
const policy: SrsPolicy = { keys: [KEY], days: 21, now: NOW };
const at = (text: string): Address => parseMailbox(text, { utf8: true, localBytes: 254 })!;
const rewritten = (text: string, over: Partial<SrsPolicy> = {}, domain = 'us.example'): Address =>
  rewriteSender(at(text), domain, { ...policy, ...over })!.address;

test('a sender becomes SRS0=hash=day=domain=local at our domain, and comes back', () => {
  const address = rewritten('bob@example.com');
  assert.match(formatAddress(address), /^SRS0=[a-z2-7]{6}=[a-z2-7]{2}=example\.com=bob@us\.example$/);
  assert.deepEqual(reverse(address, policy), at('bob@example.com'));
});

test('comes back whatever case it had on the way', () => {
  const address = rewritten('Bob.Smith@example.com');
  for (const local of [address.local.toLowerCase(), address.local.toUpperCase()]) {
    const found = reverse({ ...address, local }, policy) as Address;
    assert.equal(formatAddress(found).toLowerCase(), 'bob.smith@example.com');
  }
});

test('changed in any character it is forged', () => {
  const address = rewritten('bob@example.com');
  for (let i = 5; i < address.local.length; i += 1) {
    const c = address.local[i]!;
    const local = `${address.local.slice(0, i)}${c === 'q' ? 'p' : 'q'}${address.local.slice(i + 1)}`;
    assert.equal(reverse({ ...address, local }, policy), 'forged', local);
  }
});

describe('no address of ours', () => {
  for (const local of [
    'srs0',
    'SRS0=',
    'SRS0=x',
    'SRS1=aaaaaa=',
    'SRS0=aaaaaa=bb=',
    'SRS1==a==b',
    'SRS0=aaaaaa=11=example.com=bob',
    'SRS0=aaaaaa=aa=example.com=bob',
  ])
    test(local, () => assert.equal(reverse({ local, domain: 'us.example' }, policy), local === 'srs0' ? null : 'forged'));
  test('an ordinary one', () => assert.equal(reverse(at('anna@us.example'), policy), null));
});

test('is taken for as many days as the options say, also across the round of 1024 days and from a clock that is ahead', () => {
  const address = rewritten('bob@example.com');
  assert.deepEqual(reverse(address, { ...policy, now: NOW + 21 * DAY }), at('bob@example.com'));
  assert.equal(reverse(address, { ...policy, now: NOW + 22 * DAY }), 'expired');
  assert.deepEqual(reverse(address, { ...policy, now: NOW - DAY }), at('bob@example.com'));
  assert.equal(reverse(address, { ...policy, now: NOW - 3 * DAY }), 'expired');
  const last = 1023 * DAY;
  assert.deepEqual(reverse(rewritten('bob@example.com', { now: last }), { ...policy, now: last + 2 * DAY }), at('bob@example.com'));
});

test('an older key is still accepted, a foreign one is not', () => {
  const address = rewritten('bob@example.com');
  const fresh = Buffer.alloc(32, 8);
  assert.deepEqual(reverse(address, { ...policy, keys: [fresh, KEY] }), at('bob@example.com'));
  assert.equal(reverse(address, { ...policy, keys: [fresh] }), 'forged');
  assert.equal(rewriteSender(at('bob@example.com'), 'us.example', { ...policy, keys: [] }), null);
});

test('an SRS0 address of another host becomes SRS1, and its report goes to that host', () => {
  const first = rewritten('bob@example.com', {}, 'one.example');
  const second = rewriteSender(first, 'us.example', { ...policy, keys: [Buffer.alloc(32, 9)] })!.address;
  assert.match(second.local, /^SRS1=[a-z2-7]{6}=one\.example==[a-z2-7]{6}=[a-z2-7]{2}=example\.com=bob$/);
  assert.deepEqual(reverse(second, { ...policy, keys: [Buffer.alloc(32, 9)] }), first);
});

test('an SRS1 address of another host keeps its first host: the chain does not grow', () => {
  const first = rewritten('bob@example.com', {}, 'one.example');
  const second = rewritten(formatAddress(first), {}, 'two.example');
  const third = rewritten(formatAddress(second), { keys: [Buffer.alloc(32, 9)] });
  assert.equal(third.local.length, second.local.length);
  assert.deepEqual(reverse(third, { ...policy, keys: [Buffer.alloc(32, 9)] }), first);
});

test('other separators of other programs are kept', () => {
  const other = at('SRS0+HHHH=TT=example.com=bob@one.example');
  const ours = rewriteSender(other, 'us.example', policy)!.address;
  assert.match(ours.local, /^SRS1=[a-z2-7]{6}=one\.example=\+HHHH=TT=example\.com=bob$/);
  assert.deepEqual(reverse(ours, policy), other);
});

test('what would be longer than a local part may be travels under a token (RFC 5321 section 4.5.3.1.1)', () => {
  const long = at(`${'b'.repeat(50)}@example.com`);
  const { address, note } = rewriteSender(long, 'us.example', policy)!;
  assert.ok(address.local.length <= 64);
  assert.equal(note!.until, NOW + 23 * DAY);
  const noted = (token: string): Address | null => (token === note!.token ? note!.address : null);
  assert.deepEqual(reverse({ ...address, local: address.local.toUpperCase() }, policy, noted), long);
  assert.equal(
    reverse(address, policy, () => null),
    'expired',
  );
  assert.equal(reverse(address, policy), 'expired');
});

test('every sender that SMTP can carry comes back', () => {
  const atom = fc.stringMatching(/^[A-Za-z0-9=+_-]{1,30}$/);
  const mailbox = fc
    .tuple(fc.oneof(atom, fc.stringMatching(/^[ -~]{1,20}$/)), fc.stringMatching(/^[a-z0-9]{1,20}\.[a-z]{2,6}$/))
    .map(([local, domain]) => ({ local, domain }));
  fc.assert(
    fc.property(mailbox, (sender) => {
      const { address, note } = rewriteSender(sender, 'us.example', policy)!;
      assert.ok(address.local.length <= 64 && isSrs(address));
      const wire = parseMailbox(formatAddress(address), { localBytes: 254 })!;
      const back = reverse(wire, policy, (token) => (note !== null && token === note.token ? note.address : null)) as Address;
      assert.deepEqual(back, sender);
    }),
    { seed: 41, numRuns: 300 },
  );
});

test('hostile addresses neither throw nor pass', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), (tail) => {
      const found = reverse({ local: `SRS0=${tail}`, domain: 'us.example' }, policy);
      assert.equal(found, 'forged');
      assert.equal(reverse({ local: `SRS1=${tail}`, domain: 'us.example' }, policy), 'forged');
    }),
    { seed: 42, numRuns: 300 },
  );
});

test('the router is told where a report goes, what to refuse, and what is none of this', () => {
  const context = { domain: 'us.example', keys: [KEY], days: 21, now: () => NOW, noted: () => null };
  const address = rewritten('bob@example.com');
  assert.deepEqual(srsTarget(address, context), { kind: 'forward', address: at('bob@example.com') });
  assert.equal(srsTarget({ ...address, domain: 'other.example' }, context), null);
  assert.equal(srsTarget(at('anna@us.example'), context), null);
  const refusal = (address: Address, now = NOW): unknown => {
    const target = srsTarget(address, { ...context, now: () => now });
    return target?.kind === 'refuse' ? target.reply.enhanced : target;
  };
  assert.equal(refusal(at('SRS0=aaaaaa=bb=example.com=bob@us.example')), '5.1.1');
  assert.equal(refusal(address, NOW + 100 * DAY), '5.1.6');
});

test('a note is a row of filter_memory and is found by its token', () => {
  const note: SrsNote = { token: 'abcdefghijklmnop', address: { local: 'two words', domain: 'example.com' }, until: 5 };
  const memory = srsNoteMemory(note);
  assert.deepEqual(memory, { accountId: 0, kind: 'srs', key: 'abcdefghijklmnop two words@example.com', until: 5 });
  const asked: unknown[] = [];
  const reader = {
    rows(_: string, ...values: unknown[]) {
      asked.push(values);
      return [[memory.key]];
    },
  };
  assert.deepEqual(findSrsNote(reader, note.token), note.address);
  assert.deepEqual(asked, [[0, 'srs', 'abcdefghijklmnop ', 'abcdefghijklmnop!']]);
  assert.equal(findSrsNote(reader, 'x'), null);
});

test('keys are made at first use, kept for the owner alone, and rotated', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-srs-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const first = ensureSrsKeys(directory);
  assert.equal(first.length, 1);
  assert.equal(statSync(srsKeyFile(directory)).mode & 0o777, 0o600);
  assert.deepEqual(ensureSrsKeys(directory), first);
  for (let n = 0; n < 10; n += 1) rotateSrsKeys(directory);
  const later = ensureSrsKeys(directory, ['a shared secret of ours']);
  assert.equal(later.length, 9);
  assert.equal(Buffer.from(later[0]!).toString(), 'a shared secret of ours');
  assert.equal(readFileSync(srsKeyFile(directory), 'utf8').trim().split('\n').length, 8);
  writeFileSync(srsKeyFile(directory), 'short\n');
  assert.throws(() => ensureSrsKeys(directory), /holds no key/);
});
