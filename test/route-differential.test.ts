/** The same tables and addresses through Debian's Postfix and through our routing: envelope, header, transport and next hop must be equal. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TableError } from '../src/directory/tables/errors.ts';
import { createTables } from '../src/directory/tables/open.ts';
import { formatAddress } from '../src/mail/address.ts';
import { parseAddressList } from '../src/mail/address-list.ts';
import { fieldName, fieldValue, scanHeaders } from '../src/mail/header.ts';
import type { Address, Directory, Resolution } from '../src/ports.ts';
import { ADDRESS_FIELDS } from '../src/route/header.ts';
import { readAddress } from '../src/route/lookup.ts';
import { parsePipeTransport } from '../src/route/named.ts';
import { pipeArguments } from '../src/route/pipe-arguments.ts';
import { compilePlan } from '../src/route/plan.ts';
import { createRouter, createTransports, refusalOf } from '../src/route/router.ts';
import { routeSettings } from '../src/route/testing.ts';
import { SILENT_LOG } from '../src/system/log.ts';
import { need } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import { startSmtpSink } from './peers/smtp-sink.ts';
import { DIFFERENCES, GENERIC, GENERIC_MAILS, type MailCase, PIPES, SCENARIOS, type Scenario } from './route/cases.ts';
import { type Kept, startRoutingPostfix } from './route/postfix-side.ts';

const NOBODY = { isLocalDomain: () => false, resolve: () => ({ kind: 'foreign' }) } as unknown as Directory;

function ours(settings: Scenario['settings']) {
  const all = routeSettings({
    'policy.localDomains': ['local.test'],
    'policy.relayDomains': ['inner.test'],
    'policy.virtualAliasDomains': ['alias.test'],
    'policy.virtualMailboxDomains': ['box.test'],
    ...settings,
  });
  const tables = createTables({ log: SILENT_LOG, settings: () => all, now: () => 0 });
  const user = (name: string) => ({ name, uid: 1000, gid: 1000, home: '/', shell: '/bin/sh' });
  return { settings: () => all, tables, directory: NOBODY, users: { find: user }, log: SILENT_LOG, now: () => 0, accountForTable: () => null };
}
const address = (text: string): Address => {
  const parsed = readAddress(text);
  assert.ok(parsed !== null, text);
  return parsed;
};

/** With the domain as it is written. */
function readAs(text: string): Address {
  return { local: address(text).local, domain: text.slice(text.lastIndexOf('@') + 1) };
}

/** Addresses of all fields, by field, as "From: joe@a.test, …". */
function addressesOf(header: string): string[] {
  const bytes = Buffer.from(`${header.trimEnd()}\n\n`, 'latin1');
  return scanHeaders(bytes).fields.flatMap((field) => {
    const name = fieldName(bytes, field);
    if (!ADDRESS_FIELDS.has(name.toLowerCase())) return [];
    const items = parseAddressList(fieldValue(bytes, field)).filter((item) => item.kind === 'mailbox');
    return [`${name}: ${items.map((item) => formatAddress(item)).join(', ')}`];
  });
}

const nameOf = (line: string): string => line.slice(0, line.indexOf(':')).toLowerCase();
const sameEnvelope = (recipients: readonly string[]): string[] => [...new Set(recipients.map(domainLower))].sort();
const domainLower = (text: string): string => text.slice(0, text.lastIndexOf('@') + 1) + text.slice(text.lastIndexOf('@') + 1).toLowerCase();

function shownKept(kept: Kept, mail: MailCase): unknown {
  if (kept === null) return 'refused';
  // A From that is missing is added by Postfix: that is not about addresses.
  const given = new Set(addressesOf(mail.header ?? '').map(nameOf));
  const header = addressesOf(kept.header).filter((line) => given.has(nameOf(line)));
  return { sender: domainLower(kept.sender), recipients: sameEnvelope(kept.recipients.map((text) => spelled(text))), header };
}
/** Postfix shows addresses without quotes. */
const spelled = (text: string): string => {
  const at = text.lastIndexOf('@');
  return formatAddress({ local: text.slice(0, at), domain: text.slice(at + 1) });
};

async function shownOurs({ settings, isRemote }: Scenario, mail: MailCase): Promise<unknown> {
  const router = createRouter(ours(settings));
  const sender = await router.sender(address(mail.from));
  const to = mail.to.map(address);
  const recipients: string[] = [];
  for (const one of [...to, ...(await router.copies(address(mail.from), to))]) {
    let led: Resolution;
    try {
      led = await router.resolve(one, sender);
    } catch (error) {
      if (error instanceof TableError) return 'later';
      throw error;
    }
    if (led.kind === 'loop') return 'refused';
    recipients.push(...(led.kind === 'deliver' ? led.remote.map((target) => formatAddress(target)) : [formatAddress(one)]));
  }
  const bytes = Buffer.from(`${mail.header ?? 'Subject: x'}\n\n`);
  const header = mail.header === undefined ? [] : addressesOf(Buffer.from((await router.header(bytes, isRemote !== true)) ?? bytes).toString());
  return { sender: formatAddress(sender!), recipients: sameEnvelope(recipients), header };
}

async function ourRoute(settings: Scenario['settings'], recipient: string, sender: string): Promise<{ transport: string; nexthop: string }> {
  const host = ours(settings);
  const from = sender === '' ? null : address(sender);
  const refusal = refusalOf(await createRouter(host).resolve(address(recipient), from));
  if (refusal !== null) return { transport: 'error', nexthop: `${refusal.enhanced} ${refusal.text}` };
  const plan = compilePlan(host.settings(), host);
  const to = address(recipient);
  const { channel, nexthop } = await plan.transports.decide(to, from, await plan.classes.of(to.domain));
  return { transport: channel, nexthop };
}

test('Postfix and Posthorn route the same', async (t) => {
  need('postfix', 'postcat');
  const sink = await startSmtpSink(t, '127.0.0.1');
  const postfix = await startRoutingPostfix(t, SCENARIOS, { port: sink.port, maps: GENERIC });
  const unused = new Set(DIFFERENCES.keys());
  const compare = (name: string, theirs: unknown, own: unknown): void => {
    if (!unused.delete(name)) assert.deepEqual(own, theirs, name);
    else assert.notDeepEqual(own, theirs, `${name} is no difference any more`);
  };
  for (const [i, scenario] of SCENARIOS.entries()) {
    const { name, settings, mails = [], routes = [] } = scenario;
    await t.test(name, async (t) => {
      const kept = await postfix.mails(i, mails);
      for (const [j, mail] of mails.entries()) {
        const title = `${mail.from} to ${mail.to.join(', ')}${mail.header === undefined ? '' : `, ${JSON.stringify(mail.header)}`}`;
        await t.test(title, async () => compare(`${name}: ${title}`, shownKept(kept[j]!, mail), await shownOurs(scenario, mail)));
      }
      for (const route of routes)
        await t.test(route, async () => {
          const [recipient, given = 's@far.test'] = /^(?:("[^"]*"@\S+|\S+))(?: (\S+))?$/.exec(route)!.slice(1) as [string, string?];
          const sender = given === '<>' ? '' : given;
          compare(`${name}: ${route}`, await postfix.route(i, recipient, sender), await ourRoute(settings, recipient, sender));
        });
    });
  }
  await t.test('generic addresses on the way out', async () => {
    await postfix.generic(GENERIC_MAILS);
    await eventually('all mail has left', () => sink.taken.length === GENERIC_MAILS.length);
    const generic = createTransports(ours({ 'route.genericMaps': [`inline:{${GENERIC}}`] })).generic();
    const expected: unknown[] = [];
    for (const { from, to, header } of GENERIC_MAILS) {
      const bytes = Buffer.from(`${header!}\n\n`);
      expected.push({
        sender: formatAddress(await generic.sender(address(from))),
        recipients: [formatAddress(await generic.recipient(address(to[0]!)))],
        header: addressesOf(Buffer.from((await generic.header(bytes)) ?? bytes).toString()),
      });
    }
    const order = (list: readonly unknown[]): string[] => list.map((one) => JSON.stringify(one)).sort();
    const theirs = sink.taken.map(({ sender, recipients, message }) => ({
      sender,
      recipients,
      header: addressesOf(message.slice(0, message.indexOf('\r\n\r\n'))),
    }));
    assert.deepEqual(order(expected), order(theirs));
  });
  const given = await postfix.arguments();
  for (const [i, { flags, argv, from, to }] of PIPES.entries())
    await t.test(`pipe flags=${flags} argv=${argv}`, () => {
      const transport = parsePipeTransport(`pipe${i} flags=${flags} user=nobody argv=${argv}`);
      assert.ok(typeof transport !== 'string', String(transport));
      const recipients = to.map((local) => ({ address: readAs(`${local}@P${i}.Test`), original: null }));
      const client = { clientAddress: '127.0.0.1', clientHelo: 'client.test', clientProtocol: 'ESMTP' };
      const job = { sender: from === '' ? null : readAs(from), recipients, nexthop: `Next${i}.Hop`, queueId: '', size: 0, delimiters: '+', ...client };
      compare(`pipe: ${argv}`, given[i], pipeArguments(transport, job));
    });
  await t.test('every difference is still one', () => assert.deepEqual([...unused], []));
});
