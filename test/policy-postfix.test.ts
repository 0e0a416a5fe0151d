/** The same conversations with Debian's Postfix and with Posthorn's policy: the replies' codes and enhanced codes must be equal. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { createTables } from '../src/directory/tables/open.ts';
import { TABLES_SETTINGS } from '../src/directory/tables/settings.ts';
import { createPolicyClient } from '../src/judge/policy-client.ts';
import { formatAddress } from '../src/mail/address.ts';
import { createDns } from '../src/net/dns.ts';
import { DNS_SETTINGS } from '../src/net/dns-settings.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { need } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startNsd } from './peers/nsd.ts';
import { SETUPS } from './policy/cases/all.ts';
import { POLICY_ACTIONS, POLICY_PORT } from './policy/cases/services.ts';
import { probeReply, startPolicyServer, startProbedServer } from './policy/helpers.ts';
import { filled, PostfixSide } from './policy/postfix-side.ts';
import { PosthornSide } from './policy/posthorn-side.ts';
import { ServerSide } from './policy/server-side.ts';
import { CLIENTS, ZONES } from './policy/small-world.ts';
import type { Conversation, Heard, Setup, Side } from './policy/types.ts';

const PROBED = '192.0.2.60';
for (const address of [...Object.values(CLIENTS), PROBED]) {
  const isSix = address.includes(':');
  execFileSync('ip', [isSix ? '-6' : '-4', 'address', 'replace', `${address}/${isSix ? 128 : 32}`, 'dev', 'lo', ...(isSix ? ['nodad'] : [])]);
}

/** Parameters about local users: where these are tables, the server's directory must not have their domain. */
const LOCAL_TABLES = ['mydestination', 'local_recipient_maps', 'unknown_local_recipient_reject_code'];

/** Attributes of policy questions that cannot be the same on both sides. */
const OWN_ATTRIBUTES = new Set(['instance', 'queue_id', 'client_port', 'server_port', 'size']);

test('Postfix and Posthorn say the same', async (t) => {
  need('postfix', 'nsd');
  await startNsd(t, ZONES);
  await startProbedServer(t, PROBED);
  const questions = await startPolicyServer(t, POLICY_PORT, ({ sender }) => POLICY_ACTIONS[sender!.split('@')[0]!] ?? null);
  const files = await makeCertificate(join(tempDir(t, 'client-key')), ['client.test']);
  const certificate = new X509Certificate(readFileSync(files.certificate));
  const publicKey = createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .toUpperCase()
    .match(/../g)!
    .join(':');
  const words = { $fingerprint: certificate.fingerprint256, $pubkey: publicKey, $clientcert: files.certificate };
  const key = { cert: readFileSync(files.certificate, 'utf8'), key: readFileSync(files.key, 'utf8') };
  const starting = PostfixSide.start(t, SETUPS, key, words);
  const inServer = { key, fill: (setup: Setup, value: string) => filled(value, { ...words, $dir: postfix.dirOf(setup) }) };
  const servers = [ServerSide.start(t, { ...inServer, hasDirectory: true }), ServerSide.start(t, { ...inServer, hasDirectory: false })];
  const [postfix, server, tabled] = (await Promise.all([starting, ...servers])) as [PostfixSide, ServerSide, ServerSide];

  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const metrics = { count: () => {}, gauge: () => {} };
  const tablesSettings = defaultsOf(TABLES_SETTINGS);
  const dnsSettings = { ...defaultsOf(DNS_SETTINGS), 'dns.servers': ['127.0.0.1'] };
  const story: string[] = [];
  const service = createPolicyClient({ log: silent, metrics });
  atEnd(t, () => service.close());
  const posthorn = new PosthornSide({
    dns: createDns(() => dnsSettings),
    tables: createTables({ log: silent, settings: () => tablesSettings, now: Date.now }),
    tablesSettings: () => tablesSettings,
    service,
    prober: {
      probe: (address) => {
        const reply = address.domain === 'probe.test' ? probeReply(`<${formatAddress(address)}`) : '550 5.1.2 Domain not found';
        return { status: reply.startsWith('2') ? 'deliverable' : reply.startsWith('5') ? 'undeliverable' : 'unknown', text: reply };
      },
    },
    fill: (setup, value) => filled(value, { ...words, $dir: postfix.dirOf(setup) }),
    tls: (setup) => ({
      version: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      bits: 256,
      certificate:
        setup.main['smtpd_tls_ask_ccert'] === undefined
          ? null
          : {
              isTrusted: setup.main['smtpd_tls_CAfile'] !== undefined,
              subject: 'client.test',
              issuer: 'client.test',
              fingerprint: certificate.fingerprint256,
              publicKeyFingerprint: publicKey,
            },
    }),
    log: (text) => story.push(text),
  });

  const explained = readFileSync(resolve(import.meta.dirname, '../docs/postfix-differences.md'), 'utf8');
  type Talk = { readonly heard: readonly Heard[]; readonly questions: readonly string[] };
  async function held(side: Side, setup: Setup, conversation: Conversation): Promise<Talk> {
    questions.length = 0;
    const heard = await side.talk(setup, conversation);
    return { heard, questions: comparable(questions.splice(0)) };
  }
  function agree(conversation: Conversation, theirs: Talk, ours: Talk, differs: string | undefined, story: string): void {
    const table = `${conversation.says.join('\n')}\nPostfix:  ${theirs.heard.join(', ')}\nPosthorn: ${ours.heard.join(', ')}\n${story}`;
    if (differs === undefined) {
      assert.deepEqual(ours.heard, theirs.heard, table);
      assert.deepEqual(ours.questions, theirs.questions, table);
    } else {
      assert.ok(explained.includes(`\`${differs}\``), `docs/postfix-differences.md says nothing of ${differs}`);
      assert.notDeepEqual(ours.heard, theirs.heard, `no longer different\n${table}`);
    }
  }

  for (const setup of SETUPS) {
    await t.test(setup.name, async (t) => {
      for (const conversation of setup.conversations) {
        await t.test(conversation.name, async (t) => {
          story.length = 0;
          const theirs = await held(postfix, setup, conversation);
          const isWell = !theirs.heard.some((heard) => heard.startsWith('421 4.3.0'));
          assert.ok(isWell, `Postfix is not well\n${postfix.postfix.log.split('\n').slice(-5).join('\n')}`);
          if (setup.isSession !== true) agree(conversation, theirs, await held(posthorn, setup, conversation), conversation.differs, story.join('\n'));
          await t.test('the whole program', async () => {
            const side = LOCAL_TABLES.some((name) => setup.main[name] !== undefined) ? tabled : server;
            const ours = await held(side, setup, conversation);
            agree(conversation, theirs, ours, conversation.serverDiffers ?? conversation.differs, side.story);
          });
        });
      }
    });
  }

  await t.test('no service of Postfix failed', () => {
    assert.deepEqual(
      postfix.postfix.log.split('\n').filter((line) => /(?:fatal|panic):/.test(line)),
      [],
    );
  });
});

/** Questions as text, names in order, with the values that can be compared; repeats (a server that hangs up is asked again) count once. */
function comparable(questions: readonly Readonly<Record<string, string>>[]): string[] {
  const texts = questions.map((question) =>
    Object.entries(question)
      .map(([name, value]) => `${name}=${OWN_ATTRIBUTES.has(name) ? '' : value}`)
      .join('\n'),
  );
  return texts.filter((text, index) => text !== texts[index - 1]);
}
