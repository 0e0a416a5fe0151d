import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Address, Envelope, LocalTarget, Recipient, RemoteTarget, Reply, Resolution, Router } from '../ports.ts';
import { createStaging } from '../store/blobs/staging.ts';
import type { AcceptInput } from '../store/operations/accept.types.ts';
import { expand } from './expand.ts';
import { createIntake, type IntakeContext } from './intake.ts';

const at = (local: string, domain = 'example.org'): Address => ({ local, domain });
const target = (accountId: number, local: string): LocalTarget => ({ accountId, address: at(local), detail: null });
const recipient = (local: string, ...targets: LocalTarget[]): Recipient => ({
  address: at(local),
  resolution: { kind: 'deliver', local: targets, remote: [] },
  notify: null,
  orcpt: null,
});

test('a recipient refused as a loop is not delivered to in part', () => {
  const { deliveries, outcomes } = expand([recipient('list', target(1, 'anna'), target(2, 'berta')), recipient('carl', target(3, 'carl'))], null, [
    'Berta@example.org',
  ]);
  assert.deepEqual(
    deliveries.map(({ accountId }) => accountId),
    [3],
  );
  assert.equal(outcomes[0]!.refusal?.enhanced, '5.4.6');
  assert.deepEqual(outcomes[1], { local: [0], isRemote: false, refusal: null });
});

test('two recipients that lead to one account are one delivery, and both hear of it', () => {
  const { deliveries, outcomes } = expand([recipient('anna', target(1, 'anna')), recipient('info', target(1, 'anna'), target(2, 'berta'))], 'a@b', []);
  assert.equal(deliveries.length, 2);
  assert.deepEqual(
    outcomes.map(({ local }) => local),
    [[0], [0, 1]],
  );
});

test('a recipient that a table refuses for now is not refused for ever', () => {
  const later: Reply = { code: 450, enhanced: '4.2.0', text: 'moving house' };
  const { outcomes } = expand([{ address: at('anna'), resolution: { kind: 'unknown', reply: later }, notify: null, orcpt: null }], null, []);
  assert.deepEqual(outcomes[0]!.refusal, later);
});

// ── Copies ───────────────────────────────────────────────────────────────────────────────────────────

const staging = createStaging({ blobDir: '/nonexistent', inlineBytesMax: 1 << 20 });

/** Mail for anna with a copy for `archive`, which leads where the test says. */
async function withCopy(archive: Resolution, text = 'Subject: x\r\n\r\n'): Promise<{ reply: Reply; accounts: number[] | null; logs: string[] }> {
  const logs: string[] = [];
  let input: AcceptInput | null = null;
  const log = (name: string): void => void logs.push(name);
  const intake = createIntake({
    directory: { account: () => null } as unknown as IntakeContext['directory'],
    reader: {} as IntakeContext['reader'],
    writer: {
      run: (_: string, given: AcceptInput) => {
        input = given;
        return Promise.resolve({ entryId: null, deliveries: given.deliveries.map(() => ({ kind: 'delivered', mailboxId: 1, uid: 1 })) });
      },
    } as unknown as IntakeContext['writer'],
    journey: { write: () => {} },
    log: { debug: log, info: log, warn: log, error: log },
    metrics: { count: () => {}, gauge: () => {} },
    receivedMax: () => 50,
    router: { copies: () => [at('archive')], resolve: () => archive } as unknown as Router,
  });
  const envelope: Envelope = {
    ...{ id: '0123456789abcdef', source: 'smtp', sender: at('s', 'sender.test'), recipients: [recipient('anna', target(1, 'anna'))] },
    ...{ client: null, helo: null, auth: null, dsn: { envid: null, ret: null }, smtputf8: false, body: '7BIT', at: 0, tls: null },
  };
  const { reply, perRecipient } = await intake.accept(envelope, staging.stage(Buffer.from(text)));
  assert.equal(perRecipient.length, 1);
  const taken = input as AcceptInput | null;
  return { reply, accounts: taken === null ? null : taken.deliveries.map(({ accountId }) => accountId), logs };
}

test('an archive that is not there costs nobody his mail', async () => {
  for (const archive of [{ kind: 'unknown' }, { kind: 'loop' }, { kind: 'disabled' }] as const) {
    const { reply, accounts, logs } = await withCopy(archive);
    assert.equal(reply.code, 250, archive.kind);
    assert.deepEqual(accounts, [1]);
    assert.deepEqual(logs, ['route.copy.failed']);
  }
});

test('what comes out of the archive is not a loop for those it is sent to', async () => {
  const archive = { kind: 'deliver', local: [target(2, 'archive')], remote: [] } as Resolution;
  assert.deepEqual((await withCopy(archive)).accounts, [1, 2]);
  const { reply, accounts, logs } = await withCopy(archive, 'Delivered-To: archive@example.org\r\nSubject: x\r\n\r\n');
  assert.equal(reply.code, 250);
  assert.deepEqual(accounts, [1]);
  assert.deepEqual(logs, []);
});

test('recipients who hear of a message in different names have entries of the queue with ids of their own', async () => {
  let ids = 0;
  const intake = createIntake({
    directory: { account: () => null } as unknown as IntakeContext['directory'],
    reader: {} as IntakeContext['reader'],
    writer: {} as IntakeContext['writer'],
    journey: { write: () => {} },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    metrics: { count: () => {}, gauge: () => {} },
    receivedMax: () => 50,
    newId: () => `own${++ids}`,
  });
  const far = { ...at('rob', 'far.test'), sender: at('owner-crew') };
  const prepare = async (remote: RemoteTarget[]) => {
    const envelope: Envelope = {
      ...{
        id: 'message',
        source: 'smtp',
        sender: at('s', 'sender.test'),
        recipients: [{ ...recipient('crew'), resolution: { kind: 'deliver', local: [], remote } }],
      },
      ...{ client: null, helo: null, auth: null, dsn: { envid: null, ret: null }, smtputf8: false, body: '7BIT', at: 0, tls: null },
    };
    const prepared = await intake.prepare(envelope, staging.stage(Buffer.from('Subject: x\r\n\r\n')));
    assert.equal(prepared.kind, 'ready');
    return prepared.kind === 'ready' ? prepared.input : assert.fail();
  };
  const both = await prepare([at('anna'), far]);
  assert.deepEqual([both.id, both.sender, both.remote.map(({ address }) => address)], ['message', 's@sender.test', ['anna@example.org']]);
  assert.deepEqual(
    both.also?.map(({ id, sender, remote, journey }) => [id, sender, remote.map(({ address }) => address), journey?.fields['about']]),
    [['own1', 'owner-crew@example.org', ['rob@far.test'], 'message']],
  );
  // Nothing else is queued: the entry goes by the message's own id.
  assert.deepEqual(
    (await prepare([far])).also?.map(({ id }) => id),
    ['message'],
  );
});

test('an alias that keeps a copy here does not send spam on; one without a copy does', () => {
  const friend = { local: 'friend', domain: 'far.test' };
  const both = { ...recipient('both', target(1, 'anna')), resolution: { kind: 'deliver' as const, local: [target(1, 'anna')], remote: [friend] } };
  const away = { ...recipient('away'), resolution: { kind: 'deliver' as const, local: [], remote: [friend] } };
  const kept = expand([both], 'a@b', [], {}, null, true);
  assert.deepEqual([kept.deliveries.length, kept.remote.length, kept.notSentOn], [1, 0, ['friend@far.test']]);
  assert.equal(expand([both], 'a@b', [], {}, null, false).remote.length, 1);
  assert.equal(expand([away], 'a@b', [], {}, null, true).remote.length, 1);
});
