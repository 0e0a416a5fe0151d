/** The same tables and addresses for Postfix and for us. Tables are written as both understand them: inline:{…}. */
import type { AllRouteSettings } from '../../src/route/plan.ts';

export interface MailCase {
  readonly from: string;
  readonly to: readonly string[];
  /** Header fields, without the blank line. */
  readonly header?: string;
}
export interface Scenario {
  readonly name: string;
  /** Parameters of Postfix's cleanup(8) and trivial-rewrite(8). */
  readonly main: Readonly<Record<string, string>>;
  readonly settings: Partial<AllRouteSettings>;
  /** Sent through the server: sender, recipients and header are compared. */
  readonly mails?: readonly MailCase[];
  /** The client is a stranger: his header is left alone, or completed with another domain. */
  readonly isRemote?: boolean;
  /** "address" or "address sender": transport and next hop are compared. */
  readonly routes?: readonly string[];
}

const to = (...addresses: string[]): MailCase => ({ from: 's@far.test', to: addresses });
const from = (sender: string): MailCase => ({ from: sender, to: ['r@far.test'] });
const header = (text: string): MailCase => ({ from: 's@far.test', to: ['r@far.test'], header: text });

/** One option under its two names. */
function both(names: readonly [postfix: string, ours: string], value: string | readonly string[]): Pick<Scenario, 'main' | 'settings'> {
  return { main: { [names[0]]: typeof value === 'string' ? value : value.join(', ') }, settings: { [names[1]]: value } };
}
function join(...parts: readonly Pick<Scenario, 'main' | 'settings'>[]): Pick<Scenario, 'main' | 'settings'> {
  return { main: Object.assign({}, ...parts.map(({ main }) => main)), settings: Object.assign({}, ...parts.map(({ settings }) => settings)) };
}
const canonical = (pairs: string) => both(['canonical_maps', 'route.canonicalMaps'], [`inline:{${pairs}}`]);
const virtual = (pairs: string) => both(['virtual_alias_maps', 'policy.virtualAliasMaps'], [`inline:{${pairs}}`]);
const transport = (pairs: string) => both(['transport_maps', 'route.transportMaps'], [`inline:{${pairs}}`]);
const HEADER =
  'From: "A, B" <joe@a.test> (c)\nReply-To: ann@a.test\nTo: ann@a.test, Group: joe@a.test, x@far.test;\nCc: joe+x@a.test\nErrors-To: joe@a.test\nX-To: joe@a.test';

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'nothing',
    main: {},
    settings: {},
    mails: [to('a@far.test'), to('A.B@Far.Test'), to('"a b"@far.test'), header('From: root\nTo: a@far.test, bob, c@host\nCc: "x y"@far.test'), header(HEADER)],
    routes: [
      'a@far.test',
      'a@local.test',
      'a@far.test <>',
      '"a b"@far.test',
      'a@[192.0.2.1]',
      'a@inner.test',
      'a@sub.inner.test',
      'a@box.test',
      'a@alias.test',
    ],
  },
  {
    name: 'canonical',
    ...canonical(
      'joe@a.test=joe.doe@b.test, ann=ann.eve, @wild.test=@tame.test, chain1@a.test=chain2@a.test, chain2@a.test=chain3@a.test, self@a.test=self@a.test, all@a.test=@z.test',
    ),
    mails: [
      ...[
        'joe@a.test',
        'JOE@A.Test',
        'joe+ext@a.test',
        'ann@local.test',
        'ann@host.test',
        'ann@far.test',
        'x+y@wild.test',
        'chain1@a.test',
        'self@a.test',
        'all@a.test',
      ].flatMap((one) => [to(one), from(one)]),
      header(HEADER),
    ],
  },
  {
    name: 'canonical classes',
    ...join(canonical('joe@a.test=new@b.test'), both(['canonical_classes', 'route.canonicalClasses'], ['envelope_sender', 'header_recipient'])),
    mails: [{ from: 'joe@a.test', to: ['joe@a.test'], header: HEADER }],
  },
  {
    name: 'sender and recipient canonical',
    ...join(
      both(['sender_canonical_maps', 'route.senderCanonicalMaps'], ['inline:{joe@a.test=sender@b.test, two@a.test=three@a.test}']),
      both(['recipient_canonical_maps', 'route.recipientCanonicalMaps'], ['inline:{joe@a.test=recipient@b.test}']),
      canonical('sender@b.test=both@c.test, three@a.test=four@a.test, recipient@b.test=rboth@c.test'),
    ),
    mails: [{ from: 'joe@a.test', to: ['joe@a.test', 'joe+e@a.test'], header: HEADER }, from('two@a.test')],
  },
  {
    name: 'extensions kept out',
    ...join(
      canonical('joe@a.test=joe@b.test'),
      virtual('v@a.test=w@b.test'),
      both(['propagate_unmatched_extensions', 'route.propagateExtensions'], ['canonical']),
    ),
    mails: [to('joe+e@a.test'), to('v+e@a.test')],
  },
  {
    name: 'completing',
    main: { append_dot_mydomain: 'yes' },
    settings: { 'route.appendDomain': true },
    mails: [to('a@host'), to('a@far.test'), from('a@host'), header('From: a@host\nTo: root, b@far.test., "c d", e@far.test\nCc: <>, (nobody)')],
  },
  {
    name: 'old routes',
    main: { swap_bangpath: 'yes', allow_percent_hack: 'yes' },
    settings: { 'route.swapBangPath': true, 'route.percentHack': true },
    mails: [header('From: far.test!joe\nTo: joe%far.test, a!b!c, x%y%z, x!y%z, a%b@c.test, a!b@c.test\nCc: <@route.test:joe@far.test>')],
  },
  {
    name: 'strangers',
    ...join(canonical('joe@a.test=new@b.test'), { main: { local_header_rewrite_clients: '' }, settings: {} }),
    isRemote: true,
    mails: [header('From: joe@a.test\nTo: root, c@host'), from('joe@a.test')],
  },
  {
    name: 'strangers with a domain',
    ...join(canonical('joe@a.test=new@b.test'), {
      main: { local_header_rewrite_clients: '', remote_header_rewrite_domain: 'domain.invalid' },
      settings: { 'route.remoteHeaderRewriteDomain': 'domain.invalid' },
    }),
    isRemote: true,
    mails: [header('From: joe@a.test\nTo: root, c@host, d@far.test')],
  },
  {
    name: 'strangers with a domain for all',
    main: { local_header_rewrite_clients: '', remote_header_rewrite_domain: 'domain.invalid', append_dot_mydomain: 'yes' },
    settings: { 'route.remoteHeaderRewriteDomain': 'domain.invalid', 'route.appendDomain': true },
    isRemote: true,
    mails: [header('To: root, c@host, d@far.test')],
  },
  {
    name: 'headers of all kinds',
    ...canonical('joe@a.test=new@b.test'),
    mails: [
      ...[
        'Sender',
        'Reply-To',
        'Errors-To',
        'Return-Receipt-To',
        'Disposition-Notification-To',
        'Mail-Followup-To',
        'Cc',
        'Apparently-To',
        'Resent-From',
        'Resent-Sender',
        'Resent-To',
        'Resent-Cc',
        'Resent-Reply-To',
      ].map((name) => header(`${name}: Joe <joe@a.test>`)),
      header('From: "joe@a.test" <joe@a.test>, joe@a.test (joe@a.test), a:joe@a.test, b@c.test;, "joe"@a.test, joe @ a . test'),
      header('To: <joe@a.test>,\n joe+x@a.test\n (joe@a.test), Joe\n\t<joe@a.test>'),
      header('To: undisclosed-recipients:;'),
    ],
  },
  {
    name: 'header classes',
    ...join(
      both(['sender_canonical_maps', 'route.senderCanonicalMaps'], ['inline:{joe@a.test=sender@b.test}']),
      both(['recipient_canonical_maps', 'route.recipientCanonicalMaps'], ['inline:{joe@a.test=recipient@b.test}']),
    ),
    mails: [
      'From',
      'Sender',
      'Reply-To',
      'Errors-To',
      'Return-Receipt-To',
      'Disposition-Notification-To',
      'Mail-Followup-To',
      'To',
      'Cc',
      'Apparently-To',
      'Resent-From',
      'Resent-Sender',
      'Resent-To',
      'Resent-Cc',
      'Resent-Reply-To',
    ].map((name) => header(`${name}: joe@a.test`)),
  },
  {
    name: 'masquerade',
    ...join(
      both(['masquerade_domains', 'route.masqueradeDomains'], ['keep.a.test', '!no.b.test', 'a.test', 'b.test']),
      both(['masquerade_exceptions', 'route.masqueradeExceptions'], ['root', 'Admin']),
    ),
    mails: [
      ...[
        'x@h.a.test',
        'x@a.test',
        'x@i.h.a.test',
        'x@keep.a.test',
        'x@y.keep.a.test',
        'x@no.b.test',
        'x@y.no.b.test',
        'x@yes.b.test',
        'root@h.a.test',
        'Root@h.a.test',
        'admin@h.a.test',
        'root+x@h.a.test',
        'x@xa.test',
      ].map(from),
      to('x@h.a.test'),
      header('From: x@h.a.test\nTo: y@h.a.test, root@h.a.test'),
    ],
  },
  {
    name: 'masquerade classes',
    ...join(
      both(['masquerade_domains', 'route.masqueradeDomains'], ['a.test']),
      both(['masquerade_classes', 'route.masqueradeClasses'], ['envelope_recipient', 'header_sender']),
    ),
    mails: [{ from: 'x@h.a.test', to: ['x@h.a.test'], header: 'From: x@h.a.test\nTo: y@h.a.test' }],
  },
  {
    name: 'virtual',
    ...virtual(
      'a@v.test=b@v.test, b@v.test=c@far.test, {list@v.test=x@far.test, y@far.test, list@v.test}, joe=ann@far.test, @w.test=@far.test, @all.test=one@far.test, {two@v.test=a@v.test, b@v.test}, {quoted@v.test="a b"@far.test}, bare@v.test=bare, {dup@v.test=x@far.test X@far.test}',
    ),
    mails: [
      'a@v.test',
      'A+e@v.test',
      'list@v.test',
      'joe@local.test',
      'joe+e@local.test',
      'joe@host.test',
      'joe@far.test',
      'p+q@w.test',
      'p+q@all.test',
      'two@v.test',
      'quoted@v.test',
      'bare@v.test',
      'none@v.test',
    ].map((one) => to(one)),
  },
  { name: 'virtual in a circle', ...virtual('a@v.test=b@v.test, b@v.test=a@v.test'), mails: [to('a@v.test')] },
  {
    name: 'no address',
    ...virtual('bad@v.test=b@@c.test, {worse@v.test=<>}, slash@v.test=/var/mail/x'),
    mails: [to('bad@v.test'), to('worse@v.test'), to('slash@v.test')],
  },
  { name: 'virtual in a circle with a way out', ...virtual('{a@v.test=b@v.test, x@far.test}, b@v.test=a@v.test'), mails: [to('a@v.test')] },
  {
    name: 'virtual too many',
    ...join(virtual('{a@v.test=a1@far.test, a2@far.test, a3@far.test, a4@far.test}'), {
      main: { virtual_alias_expansion_limit: '2' },
      settings: { 'route.virtualAliasExpansionLimit': 2 },
    }),
    mails: [to('a@v.test')],
  },
  {
    name: 'patterns',
    ...both(['virtual_alias_maps', 'policy.virtualAliasMaps'], ['pcre:{{/^(.*)-list@far\\.test$/ $1@lists.test}, {/^both@/ a@far.test, b@far.test}}']),
    mails: [to('dev-list@far.test'), to('both@far.test'), to('Dev-List@Far.test'), to('dev-list+x@far.test')],
  },
  {
    name: 'copies',
    ...join(
      both(['always_bcc', 'route.alwaysBcc'], 'archive@far.test'),
      both(['sender_bcc_maps', 'route.senderBccMaps'], ['inline:{boss@a.test=watch@b.test, @c.test=domain@b.test}']),
      both(['recipient_bcc_maps', 'route.recipientBccMaps'], ['inline:{rcpt@a.test=seen@b.test, local1=lseen@b.test}']),
      virtual('seen@b.test=seen.alias@b.test'),
    ),
    mails: [
      { from: 'boss@a.test', to: ['x@far.test'] },
      { from: 'boss+e@a.test', to: ['rcpt+e@a.test'] },
      { from: 'q@c.test', to: ['rcpt@a.test', 'local1@local.test'] },
    ],
  },
  {
    name: 'transport maps',
    ...transport(
      'a@t.test=smtp:[addr.test], t.test=smtp:[dom.test]:26, .p.test=relay:[sub.test], x@p.test=smtp:, nul.test=:, nh.test=:[nh.test], {err.test=error:5.7.1 no mail here}, {ret.test=retry:4.2.1 later}, disc.test=discard:silently, chan.test=slow, chan2.test=slow:, box.test=smtp:[box2.test], local.test=:[l.test], lm.test=lmtp:unix:/run/lmtp, *=smtp:[star.test]',
    ),
    routes: [
      ...[
        'a@t.test',
        'A+e@T.test',
        'b@t.test',
        'b@sub.t.test',
        'a@p.test',
        'a@q.p.test',
        'a@r.q.p.test',
        'x@p.test',
        'x+y@p.test',
        'a@nul.test',
        'a@nh.test',
        'a@err.test',
        'a@ret.test',
        'a@disc.test',
        'a@chan.test',
        'a@chan2.test',
      ],
      ...['a@box.test', 'a@local.test', 'a@lm.test', 'a@other.test', 'a@inner.test'],
    ],
  },
  {
    name: 'parents match',
    main: { ...transport('t.test=smtp:[dom.test], q.t.test=smtp:[q.test]').main, parent_domain_matches_subdomains: 'transport_maps, relay_domains' },
    settings: { ...transport('t.test=smtp:[dom.test], q.t.test=smtp:[q.test]').settings, 'route.transportParentDomainMatches': true },
    routes: ['a@t.test', 'a@b.t.test', 'a@q.t.test', 'a@z.q.t.test', 'a@xt.test'],
  },
  { name: 'relay host', ...both(['relayhost', 'deliver.relayHost'], '[relay.test]:587'), routes: ['a@far.test', 'a@inner.test', 'a@local.test', 'a@box.test'] },
  {
    name: 'by sender',
    ...join(
      both(['relayhost', 'deliver.relayHost'], '[relay.test]'),
      both(
        ['sender_dependent_relayhost_maps', 'route.senderDependentRelayHostMaps'],
        ['inline:{s@x.test=[r1.test], @y.test=[r2.test]:26, n@y.test=DUNNO, <>=[r3.test]}'],
      ),
      both(
        ['sender_dependent_default_transport_maps', 'route.senderDependentDefaultTransportMaps'],
        ['inline:{t@x.test=slow:[s4.test], u@x.test=slow, s@z.test=DUNNO}'],
      ),
    ),
    routes: [
      'a@far.test s@x.test',
      'a@far.test s+e@x.test',
      'a@far.test q@y.test',
      'a@far.test n@y.test',
      'a@far.test <>',
      'a@far.test t@x.test',
      'a@far.test u@x.test',
      'a@far.test s@z.test',
      'a@inner.test s@x.test',
      'a@inner.test t@x.test',
    ],
  },
  {
    name: 'transports of the classes',
    ...join(
      both(['relay_transport', 'route.relayTransport'], 'relay:[hub.test]'),
      both(['local_transport', 'route.localTransport'], 'lmtp:unix:/run/l'),
      both(['virtual_transport', 'route.virtualTransport'], 'lmtp:inet:10.0.0.1:24'),
      both(['default_transport', 'route.defaultTransport'], 'smtp:[def.test]'),
      both(['relayhost', 'deliver.relayHost'], '[relay.test]'),
    ),
    routes: ['a@far.test', 'a@inner.test', 'a@local.test', 'a@box.test'],
  },
  {
    name: 'relocated',
    ...both(['relocated_maps', 'route.relocatedMaps'], ['inline:{a@far.test=b@new.test, joe=joe@new.test, {@gone.test=nowhere at all}}']),
    routes: ['a@far.test', 'a+x@far.test', 'joe@local.test', 'joe@far.test', 'any@gone.test'],
  },
];

/** Mail through Postfix's SMTP client, and what arrives. */
export const GENERIC = 'joe@host.test=joe@isp.test, @lan.test=all@isp.test, ann=ann@isp.test, a@chain.test=b@chain.test, b@chain.test=c@chain.test';
export const GENERIC_MAILS: readonly MailCase[] = [
  { from: 'joe@host.test', to: ['x@far.test'], header: 'From: Joe <joe@host.test>\nTo: x@far.test, y@lan.test, joe+e@host.test' },
  { from: 'any@lan.test', to: ['joe@host.test'], header: 'From: any@lan.test\nReply-To: ann@local.test\nSubject: joe@host.test' },
  { from: 'joe+e@host.test', to: ['q@lan.test'], header: 'From: ann@far.test\nSender: joe@HOST.test' },
  { from: 'a@chain.test', to: ['ann@host.test'], header: 'From: a@chain.test\nTo: ann@host.test' },
];

/** Command lines of pipe(8): flags, argv after the program, and one mail to recipients at the transport's domain. */
export interface PipeCase {
  readonly flags: string;
  readonly argv: string;
  readonly from: string;
  readonly to: readonly string[];
}
const pipe = (argv: string, locals = 'joe+Ext', flags = '', sender = 's@far.test'): PipeCase => ({ flags, argv, from: sender, to: locals.split(' ') });
export const PIPES: readonly PipeCase[] = [
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
  pipe('-f ${sender} -- ${recipient}'),
  pipe('-f $sender -- $recipient', 'a b+c d'),
  pipe('$user $extension $mailbox $domain $nexthop', 'Joe+Ext ann'),
  pipe('$user@$domain/$extension', '+box Joe+Ext ann'),
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
  pipe('$(user) ${user}x $$user {a  b} {$user and $mailbox}', 'Joe+Ext'),
  pipe('-f $sender', 'joe', '', ''),
  pipe('-f $sender', 'joe', 'q', ''),
  pipe('$recipient $original_recipient $user $mailbox $sender', '"A(b+c"', 'q', '"s,t"@Far.Test'),
  pipe('$recipient $original_recipient $user $mailbox $sender', '"A(b+c"', '', '"s,t"@Far.Test'),
  pipe('$recipient $user $mailbox $extension $domain $nexthop', 'JOE+Ext', 'u'),
  pipe('$recipient $user $mailbox $extension $domain $nexthop', 'JOE+Ext', 'h'),
  pipe('$recipient $user $mailbox $extension $domain $nexthop', 'JOE+Ext', 'hqu'),
  pipe('$client_address $client_helo $client_protocol $sasl_method. end'),
];

/** Where we mean to differ: scenario and case, and why. Everything else must be the same. */
export const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['virtual in a circle with a way out: s@far.test to a@v.test', 'what leads somewhere is delivered'],
  ['no address: s@far.test to bad@v.test', 'mail waits until the table is mended'],
  ['no address: s@far.test to worse@v.test', 'mail waits until the table is mended'],
]);
