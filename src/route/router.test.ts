import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { TableError } from '../directory/tables/errors.ts';
import { formatAddress } from '../mail/address.ts';
import type { RemoteTarget, Resolution, RouteStep } from '../ports.ts';
import type { AllRouteSettings } from './plan.ts';
import { createRouter, createTransports, hopWords, refusalOf } from './router.ts';
import { at, routeContext } from './testing.ts';

type Changes = Partial<AllRouteSettings>;

/** "1:ann@own.test+detail", "far@x.test", "far@x.test>nexthop", "rita@local.test user rita", or the kind. */
function shown(resolution: Resolution): string {
  if (resolution.kind !== 'deliver') return resolution.kind;
  const local = resolution.local.map(({ accountId, address, detail }) => `${accountId}:${formatAddress(address)}${detail === null ? '' : `+${detail}`}`);
  return [...local, ...resolution.remote.map(remote)].join(' | ');
}
function remote(target: RemoteTarget): string {
  const { task, nexthop, sender } = target;
  const words =
    task === undefined
      ? ''
      : ` ${task.kind} ${task.kind === 'user' ? `${task.user}${task.detail === null ? '' : `+${task.detail}`}` : task.kind === 'file' ? task.path : task.command}`;
  return `${formatAddress(target)}${nexthop === undefined ? '' : `>${nexthop}`}${words}${sender ? ` from ${formatAddress(sender)}` : ''}`;
}

function resolveSync(settings: Changes, address: string, steps?: RouteStep[]): string {
  const answer = createRouter(routeContext(settings)).resolve(at(address), at('from@far.test'), steps);
  assert.ok(!(answer instanceof Promise), 'everything in memory is answered at once');
  return shown(answer);
}

const MAILDIR = { 'local.mailbox': 'Maildir/', 'local.uidMin': 100 };
const LOCAL: Changes = { 'policy.localDomains': ['local.test'] };
const BOX: Changes = { 'policy.virtualMailboxDomains': ['box.test'] };
const MAPS = (pairs: string): Changes => ({ 'policy.virtualAliasMaps': [`inline:{${pairs}}`] });

describe('an address leads to', () => {
  const rows: [settings: Changes, address: string, outcome: string][] = [
    // Nothing configured: the directory alone.
    [{}, 'ann@own.test', '1:ann@own.test'],
    [{}, 'ann+x@own.test', '1:ann@own.test+x'],
    [{}, 'nobody@own.test', 'unknown'],
    [{}, 'bob@own.test', 'disabled'],
    [{}, 'a@far.test', 'foreign'],
    // A member that is switched off, or leads nowhere, is reported and does not vanish behind the others.
    [MAPS('{team@own.test=ann@own.test, bob@own.test}'), 'team@own.test', '1:ann@own.test | bob@own.test>error:5.2.1 This mailbox is switched off'],
    [
      MAPS('{team@own.test=ann@own.test, circle@own.test}'),
      'team@own.test',
      '1:ann@own.test | circle@own.test>error:5.4.6 The aliases of this address lead in a circle',
    ],
    [MAPS('team@own.test=bob@own.test'), 'team@own.test', 'disabled'],
    // Address classes.
    [LOCAL, 'rita@local.test', 'rita@local.test user rita'],
    [LOCAL, 'Rita+Lists@local.test', 'Rita+Lists@local.test user rita+Lists'],
    [LOCAL, 'nobody@local.test', 'unknown'],
    [LOCAL, 'postmaster@local.test', 'postmaster@local.test user root'],
    [{ ...LOCAL, ...MAILDIR }, 'rita@local.test', 'rita@local.test user rita'],
    [{ ...LOCAL, ...MAILDIR }, 'root@local.test', 'root@local.test user root'],
    [{ ...LOCAL, ...MAILDIR }, 'www-data@local.test', 'www-data@local.test>error:5.2.1 This system account takes no mail'],
    [{ ...LOCAL, ...MAILDIR }, 'postmaster@local.test', 'postmaster@local.test user root'],
    [{ ...LOCAL, ...MAILDIR, 'local.uidMin': 33 }, 'www-data@local.test', 'www-data@local.test user www-data'],
    [{ ...LOCAL, ...MAILDIR, 'local.usersAllowed': ['www-data'] }, 'www-data@local.test', 'www-data@local.test user www-data'],
    [{ ...LOCAL, ...MAILDIR, 'local.mailbox': '/var/mail/' }, 'root@local.test', 'root@local.test user root'],
    [{ ...LOCAL, ...MAILDIR, 'route.mailboxTransport': 'lmtp:unix:/s' }, 'root@local.test', 'root@local.test user root'],
    [{ ...LOCAL, 'directory.recipientDelimiters': '-' }, 'www-data@local.test', 'www-data@local.test user www-data'],
    [{ ...LOCAL, 'route.luserRelay': 'ann@own.test' }, 'nobody@local.test', '1:ann@own.test'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    [{ ...LOCAL, 'route.luserRelay': '${user}${extension?.$extension}@far.test' }, 'no+body@local.test', 'no.body@far.test'],
    [{ ...LOCAL, 'route.luserRelay': 'nobody2', domain: 'local.test' }, 'nobody@local.test', 'unknown'],
    [{ ...LOCAL, 'route.luserRelay': '|/bin/who $user' }, '"no;rm $x"@local.test', '"no;rm $x"@local.test command /bin/who no_rm__x'],
    [{ ...LOCAL, 'route.luserRelay': '/srv/$user' }, '"../etc"@local.test', '"../etc"@local.test file /srv/.._etc'],
    [{ ...LOCAL, 'route.luserRelay': '|/bin/who $user' }, 'nobody@local.test', 'nobody@local.test command /bin/who nobody'],
    [{ ...LOCAL, 'route.luserRelay': '|/bin/who $user' }, '-rf@local.test', '-rf@local.test command /bin/who _rf'],
    [{ ...LOCAL, 'route.fallbackTransport': 'smtp:[10.0.0.9]' }, 'nobody@local.test', 'nobody@local.test>smtp:[10.0.0.9]'],
    [{ ...LOCAL, 'route.fallbackTransportMaps': ['inline:{nobody=lmtp:unix:/x}'] }, 'nobody@local.test', 'nobody@local.test>lmtp:unix:/x'],
    [{ ...LOCAL, 'route.mailboxTransport': 'lmtp:unix:/run/lmtp' }, 'nobody@local.test', 'nobody@local.test>lmtp:unix:/run/lmtp'],
    [{ ...LOCAL, 'route.mailboxTransport': 'lmtp:unix:/run/lmtp' }, 'rita@local.test', 'rita@local.test user rita'],
    [{ ...LOCAL, 'route.localTransport': 'lmtp:unix:/run/lmtp' }, 'rita@local.test', 'rita@local.test>lmtp:unix:/run/lmtp'],
    [{ 'policy.virtualAliasDomains': ['v.test'], ...MAPS('a@v.test=x@far.test') }, 'a@v.test', 'x@far.test'],
    [{ 'policy.virtualAliasDomains': ['v.test'], ...MAPS('a@v.test=x@far.test') }, 'b@v.test', 'unknown'],
    [BOX, 'vic@box.test', '7:vic@box.test'],
    [BOX, 'vera@box.test', 'unknown'],
    [{ ...BOX, 'policy.virtualMailboxMaps': ['inline:{vic@box.test=x}'] }, 'Vic+d@box.test', '7:vic@box.test+d'],
    [{ ...BOX, 'policy.virtualMailboxMaps': ['inline:{sales@box.test=vic@box.test}'] }, 'sales@box.test', '7:vic@box.test'],
    [{ ...BOX, 'policy.virtualMailboxMaps': ['inline:{vic@box.test=x}'] }, 'other@box.test', 'unknown'],
    [
      { ...BOX, 'route.virtualMailboxBase': '/srv/mail/', 'policy.virtualMailboxMaps': ['inline:{vic@box.test=box/vic/}'] },
      'vic@box.test',
      'vic@box.test file /srv/mail/box/vic/',
    ],
    [{ ...BOX, 'route.virtualTransport': 'lmtp:inet:10.0.0.1:24' }, 'any@box.test', 'any@box.test>lmtp:inet:10.0.0.1:24'],
    [{ 'policy.relayDomains': ['inner.test'] }, 'a@inner.test', 'foreign'],
    // Virtual aliases.
    [MAPS('a@far.test=ann@own.test'), 'a@far.test', '1:ann@own.test'],
    [MAPS('{ann@own.test=ann@own.test, copy@far.test}'), 'ann@own.test', '1:ann@own.test | copy@far.test'],
    [MAPS('{a@far.test=b@far.test}, {b@far.test=c@far.test, d@far.test}'), 'a@far.test', 'c@far.test | d@far.test'],
    [MAPS('a@far.test=b@far.test, b@far.test=a@far.test'), 'a@far.test', 'loop'],
    [MAPS('@far.test=@near.test'), 'Joe+x@far.test', 'Joe+x@near.test'],
    [MAPS('joe@far.test=ann@own.test'), 'joe+x@far.test', '1:ann@own.test+x'],
    [{ ...MAPS('joe@far.test=ann@own.test'), 'route.propagateExtensions': [] }, 'joe+x@far.test', '1:ann@own.test'],
    [{ ...LOCAL, ...MAPS('joe=ann@own.test') }, 'joe@local.test', '1:ann@own.test'],
    [{ ...LOCAL, ...MAPS('joe=ann@own.test') }, 'joe@far.test', 'foreign'],
    [{ ...MAPS('root@far.test=root') }, 'root@far.test', 'root@host.test'],
    [{ ...MAPS('{a@far.test=nobody@own.test, ann@own.test}') }, 'a@far.test', '1:ann@own.test | nobody@own.test>error:5.1.1 User unknown'],
    [{ ...MAPS('{a@far.test=b@far.test,c@far.test,d@far.test}'), 'route.virtualAliasExpansionLimit': 2 }, 'a@far.test', 'loop'],
    [{ ...MAPS('a@far.test=out@own.test') }, 'a@far.test', 'elsewhere@far.test'],
    [{ ...MAPS('elsewhere@far.test=ann@own.test') }, 'out@own.test', '1:ann@own.test'],
    // virtusertable.
    [{ 'route.virtusertable': ['inline:{joe@v.test=ann@own.test}'] }, 'joe@v.test', '1:ann@own.test'],
    [{ 'route.virtusertable': ['inline:{@v.test=%1@far.test}'] }, 'joe+x@v.test', 'joe@far.test'],
    [{ 'route.virtusertable': ['inline:{joe+*@v.test=j%3@far.test}'] }, 'joe+x@v.test', 'j+x@far.test'],
    [{ 'route.virtusertable': ['inline:{{joe@v.test=error:nouser No such user here}}'] }, 'joe@v.test', 'joe@v.test>error:5.1.1 No such user here'],
    // Canonical, masquerading, relocated, completion.
    [{ 'route.recipientCanonicalMaps': ['inline:{a@far.test=ann@own.test}'] }, 'a@far.test', '1:ann@own.test'],
    [{ 'route.canonicalMaps': ['inline:{a@far.test=b@far.test, b@far.test=c@far.test}'] }, 'a@far.test', 'c@far.test'],
    [{ 'route.canonicalMaps': ['inline:{a@far.test=b@far.test}'], 'route.canonicalClasses': ['envelope_sender'] }, 'a@far.test', 'foreign'],
    [{ 'route.masqueradeDomains': ['far.test'] }, 'a@x.far.test', 'foreign'],
    [{ 'route.masqueradeDomains': ['far.test'], 'route.masqueradeClasses': ['envelope_recipient'] }, 'a@x.far.test', 'a@far.test'],
    [{ 'route.relocatedMaps': ['inline:{a@own.test=b@new.test}'] }, 'a@own.test', 'a@own.test>error:5.1.6 User has moved to b@new.test'],
    [{ ...LOCAL, 'route.percentHack': true }, 'a%far.test@local.test', 'a@far.test'],
    [{ ...LOCAL, 'route.swapBangPath': true }, 'far.test!a@local.test', 'a@far.test'],
    [LOCAL, 'a%far.test@local.test', 'unknown'],
    // Transports that decide before the queue.
    [{ 'route.transportMaps': ['inline:{own.test=smtp:[10.0.0.1]}'] }, 'x@own.test', 'x@own.test>smtp:[10.0.0.1]'],
    [{ 'route.transportMaps': ['inline:{*=smtp:[10.0.0.1]}'] }, 'ann@own.test', '1:ann@own.test'],
    [{ ...LOCAL, 'route.transportMaps': ['inline:{*=smtp:[10.0.0.1]}'] }, 'rita@local.test', 'rita@local.test>smtp:[10.0.0.1]'],
    [{ 'route.transportMaps': ['inline:{{far.test=error:5.7.1 go away}}'] }, 'a@far.test', 'a@far.test>error:5.7.1 go away'],
    [{ 'route.transportMaps': ['inline:{far.test=local:}'] }, 'rita@far.test', 'rita@far.test user rita'],
  ];
  for (const [settings, address, outcome] of rows)
    test(`${address} with ${JSON.stringify(settings)}: ${outcome}`, () => {
      assert.equal(resolveSync(settings, address), outcome);
      // Asking for the steps changes nothing of the answer.
      assert.equal(resolveSync(settings, address, []), outcome);
    });
});

function aliasFile(t: TestContext, text: string): Changes {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-route-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'aliases');
  writeFileSync(file, text, { mode: 0o644 });
  return { ...LOCAL, domain: 'local.test', 'aliases.sources': [`hash:${file}`] };
}

test('aliases of local names lead to users, other addresses, programs and files', (t) => {
  const settings = aliasFile(t, 'staff: rita, ann@own.test, far@x.test, "|/bin/prog -x", /var/mail/archive\nowner-staff: rita\npostmaster: rita\n');
  assert.equal(
    resolveSync(settings, 'staff@local.test').replaceAll(' from owner-staff@local.test', ' F').split(' | ').sort().join(' | '),
    [
      '1:ann@own.test',
      'far@x.test F',
      'rita@local.test user rita F',
      'staff@local.test command /bin/prog -x F',
      'staff@local.test file /var/mail/archive F',
    ].join(' | '),
  );
  assert.equal(resolveSync(settings, 'postmaster@local.test'), 'rita@local.test user rita');
});

test('a member of an alias who is nobody bounces, the others have their mail', (t) => {
  const settings = aliasFile(t, 'both: rita, ghost\n');
  assert.equal(resolveSync(settings, 'both@local.test'), 'rita@local.test user rita | ghost@local.test>error:5.1.1 User unknown: ghost');
});

test('an alias that leads to a user with the delimiter in the name', (t) => {
  const settings = { ...aliasFile(t, 'web: www-data, rita-lists\n'), 'directory.recipientDelimiters': '-' };
  assert.equal(resolveSync(settings, 'web@local.test'), 'www-data@local.test user www-data | rita-lists@local.test user rita+lists');
});

test('tables that answer later are waited for, with the same outcome', async () => {
  const router = createRouter(
    routeContext({ 'policy.virtualAliasMaps': ['later:{a@far.test=ann@own.test}'], 'route.recipientCanonicalMaps': ['later:{x@far.test=a@far.test}'] }),
  );
  assert.equal(shown(await router.resolve(at('x@far.test'), null)), '1:ann@own.test');
});

test('a table that cannot answer is no answer', async () => {
  const router = createRouter(routeContext({ 'policy.virtualAliasMaps': ['fail:x'] }));
  assert.throws(() => router.resolve(at('x@far.test'), null), TableError);
  const bad = createRouter(routeContext(MAPS('a@far.test=b@@c')));
  assert.throws(() => bad.resolve(at('a@far.test'), null), TableError);
});

test('what is refused by routing is refused at RCPT', () => {
  const router = createRouter(routeContext({ 'route.relocatedMaps': ['inline:{a@own.test=b@new.test}'] }));
  assert.deepEqual(refusalOf(router.resolve(at('a@own.test'), null) as Resolution), { code: 550, enhanced: '5.1.6', text: 'User has moved to b@new.test' });
  assert.equal(refusalOf(router.resolve(at('ann@own.test'), null) as Resolution), null);
  assert.equal(refusalOf({ kind: 'deliver', local: [], remote: [{ ...at('a@b.test'), nexthop: 'error:5.1.1 x' }, at('c@b.test')] }), null);
});

test('new settings count at once, wrong ones leave what was', () => {
  const context = routeContext();
  const router = createRouter(context);
  assert.equal(shown(router.resolve(at('a@far.test'), null) as Resolution), 'foreign');
  context.set(MAPS('a@far.test=ann@own.test'));
  assert.equal(shown(router.resolve(at('a@far.test'), null) as Resolution), '1:ann@own.test');
  context.set({ 'policy.virtualAliasMaps': ['nosuch:x'] });
  assert.equal(shown(router.resolve(at('a@far.test'), null) as Resolution), '1:ann@own.test');
});

test('the steps say which table decided', () => {
  const steps: RouteStep[] = [];
  resolveSync(MAPS('a@far.test=ann@own.test'), 'a@far.test', steps);
  assert.deepEqual(steps, [
    { depth: 0, what: 'a@far.test', by: 'recipient, from from@far.test' },
    { depth: 1, what: 'ann@own.test', by: 'virtualAliasMaps inline:{a@far.test=ann@own.test}' },
    { depth: 2, what: 'mailbox of ann@own.test', by: 'the directory' },
  ]);
});

test('the sender is mapped and masqueraded, the null sender stays', () => {
  const router = createRouter(
    routeContext({
      'route.senderCanonicalMaps': ['inline:{joe@a.test=joe.doe@x.a.test}'],
      'route.masqueradeDomains': ['a.test'],
      'route.masqueradeExceptions': ['root'],
    }),
  );
  const sender = (text: string) => formatAddress(router.sender(at(text)) as { local: string; domain: string });
  assert.equal(sender('joe@a.test'), 'joe.doe@a.test');
  assert.equal(sender('eve@y.a.test'), 'eve@a.test');
  assert.equal(sender('root@y.a.test'), 'root@y.a.test');
  assert.equal(router.sender(null), null);
  const idle = createRouter(routeContext());
  const same = at('x@y.test');
  assert.equal(idle.sender(same), same);
});

test('copies go to whom the options name, once each', () => {
  const router = createRouter(
    routeContext({
      'route.alwaysBcc': 'archive',
      'route.senderBccMaps': ['inline:{boss@a.test=watch@b.test}'],
      'route.recipientBccMaps': ['inline:{@c.test=watch@b.test, d@d.test=dd@d.test}'],
    }),
  );
  const copies = (sender: string | null, ...recipients: string[]) =>
    (router.copies(sender === null ? null : at(sender), recipients.map(at)) as { local: string; domain: string }[]).map(formatAddress);
  assert.deepEqual(copies('boss@a.test', 'x@c.test', 'd@d.test'), ['archive@host.test', 'watch@b.test', 'dd@d.test']);
  assert.deepEqual(copies(null, 'x@e.test'), ['archive@host.test']);
  assert.deepEqual(createRouter(routeContext()).copies(at('a@b.test'), [at('c@d.test')]), []);
});

describe('the next hop of', () => {
  const NAMED: Changes = {
    'transport.smtp': ['slow concurrency=2 rateDelay=1s port=2525'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    'transport.pipe': ['vac user=games argv=/usr/bin/vac -f ${sender} ${recipient}'],
  };
  const T = (pairs: string, more: Changes = {}): Changes => ({ 'route.transportMaps': [`inline:{${pairs}}`], ...NAMED, ...more });
  const rows: [settings: Changes, recipient: string, sender: string | null, words: string][] = [
    [{}, 'a@far.test', 's@x.test', 'smtp: the mail hosts of far.test'],
    [{ 'deliver.relayHost': '[relay.test]:587' }, 'a@far.test', null, 'smtp: [relay.test], port 587'],
    [T('far.test=smtp:[10.0.0.1]:26'), 'a@far.test', null, 'smtp: [10.0.0.1], port 26'],
    [T('far.test=relay:hub.test'), 'a@far.test', null, 'smtp: the mail hosts of hub.test'],
    [T('far.test=slow:'), 'a@far.test', null, 'slow: the mail hosts of far.test, port 2525'],
    [T('.far.test=slow:[h.test]:99'), 'a@sub.far.test', null, 'slow: [h.test], port 99'],
    [T('.far.test=slow:'), 'a@far.test', null, 'smtp: the mail hosts of far.test'],
    [T('far.test=slow:', { 'route.transportParentDomainMatches': true }), 'a@sub.far.test', null, 'slow: the mail hosts of sub.far.test, port 2525'],
    [T('a@far.test=discard:'), 'a+x@far.test', null, 'thrown away'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    [T('far.test=vac:box'), 'a@far.test', null, 'program vac: /usr/bin/vac -f ${sender} ${recipient}'],
    [T('far.test=:'), 'a@far.test', null, 'smtp: the mail hosts of far.test'],
    [T('far.test=:[other.test]'), 'a@far.test', null, 'smtp: [other.test]'],
    [T('far.test=nosuch:x'), 'a@far.test', null, 'kept in the queue: 4.3.5 Mail transport unavailable: there is no transport "nosuch"'],
    [T('{far.test=retry:4.2.1 later}'), 'a@far.test', null, 'kept in the queue: 4.2.1 later'],
    [T('far.test=lmtp:unix:/run/x'), 'a@far.test', null, 'lmtp: /run/x'],
    [T('*=smtp:[all.test]', { 'deliver.transports': ['far.test smtp:[line.test]'] }), 'a@far.test', null, 'smtp: [line.test]'],
    [
      { 'route.senderDependentRelayHostMaps': ['inline:{s@x.test=[r1.test], @y.test=[r2.test]:587, n@y.test=DUNNO}'] },
      'a@far.test',
      's@x.test',
      'smtp: [r1.test]',
    ],
    [{ 'route.senderDependentRelayHostMaps': ['inline:{s@x.test=[r1.test], @y.test=[r2.test]:587}'] }, 'a@far.test', 'q@y.test', 'smtp: [r2.test], port 587'],
    [{ 'route.senderDependentRelayHostMaps': ['inline:{<>=[r3.test]}'] }, 'a@far.test', null, 'smtp: [r3.test]'],
    [{ 'route.senderDependentDefaultTransportMaps': ['inline:{s@x.test=slow:[r4.test]}'], ...NAMED }, 'a@far.test', 's@x.test', 'slow: [r4.test], port 2525'],
    [{ 'policy.relayDomains': ['inner.test'], 'route.relayTransport': 'smtp:[10.1.1.1]' }, 'a@inner.test', null, 'smtp: [10.1.1.1]'],
    [{ 'policy.relayDomains': ['inner.test'], 'deliver.relayHost': '[relay.test]' }, 'a@inner.test', null, 'smtp: [relay.test]'],
    [{ 'route.mailertable': ['inline:{.far.test=esmtp:[%1.hub.test], .=smtp:default.test}'] }, 'a@x.far.test', null, 'smtp: [x.hub.test]'],
    [{ 'route.mailertable': ['inline:{{far.test=error:5.7.0:550 not here}}'] }, 'a@far.test', null, 'refused: 5.7.0 not here'],
    [{ 'route.defaultTransport': 'smtp:[d.test]' }, 'a@far.test', null, 'smtp: [d.test]'],
  ];
  for (const [settings, recipient, sender, words] of rows)
    test(`${recipient} from ${sender ?? '<>'} with ${JSON.stringify(settings)}: ${words}`, () => {
      const hop = createTransports(routeContext(settings)).transport({ address: recipient, domain: recipient.slice(recipient.indexOf('@') + 1) }, sender);
      assert.ok(!(hop instanceof Promise));
      assert.equal(hopWords(hop), words);
    });
});

test('fallback relays stand behind the destination, but not behind the transport "relay"', () => {
  const transports = createTransports(
    routeContext({ 'route.fallbackRelay': ['[fall.test]:26'], 'route.transportMaps': ['inline:{in.test=relay:[hub.test], list.test=smtp:[a.test]}'] }),
  );
  const hosts = (domain: string): string[] => {
    const hop = transports.transport({ address: `x@${domain}`, domain }, null);
    assert.ok(!(hop instanceof Promise) && hop.kind === 'smtp');
    return [hop.host, ...(hop.fallback ?? []).map(({ host }) => host)];
  };
  assert.deepEqual(hosts('far.test'), ['far.test', 'fall.test']);
  assert.deepEqual(hosts('in.test'), ['hub.test']);
  assert.deepEqual(hosts('list.test'), ['a.test', 'fall.test']);
});

test('the mailbox of a user is a transport, a command or the usual place', () => {
  const choose = (changes: Changes, user: string) => createTransports(routeContext(changes)).mailbox(user);
  assert.deepEqual(choose({}, 'rita'), { kind: 'mailbox' });
  assert.deepEqual(choose({ 'route.mailboxCommand': '/usr/bin/procmail' }, 'rita'), { kind: 'command', command: '/usr/bin/procmail' });
  assert.deepEqual(choose({ 'route.mailboxTransport': 'lmtp:unix:/x', 'route.mailboxCommand': 'y' }, 'rita'), { kind: 'transport', nexthop: 'lmtp:unix:/x' });
  assert.deepEqual(choose({ 'route.mailboxCommandMaps': ['inline:{{rita=/bin/filter -d}}'], 'route.mailboxCommand': 'y' }, 'Rita'), {
    kind: 'command',
    command: '/bin/filter -d',
  });
});

test('a report to a rewritten sender goes on to the sender, a forged one is refused', () => {
  const context = routeContext();
  const router = createRouter({
    ...context,
    srs: ({ local }) =>
      local === 'srs0=ok'
        ? { kind: 'forward', address: at('s@x.test') }
        : local === 'srs0=bad'
          ? { kind: 'refuse', reply: { code: 550, enhanced: '5.1.1', text: 'forged' } }
          : null,
  });
  assert.equal(shown(router.resolve(at('srs0=ok@own.test'), null) as Resolution), 's@x.test');
  assert.equal(refusalOf(router.resolve(at('srs0=bad@own.test'), null) as Resolution)?.text, 'forged');
});
