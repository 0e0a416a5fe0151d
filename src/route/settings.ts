/** Options of routing: `[route]` and `[transport]` in posthorn.toml. What a setting does is what the Postfix parameter in `see` does. */
import { count, duration, flag, list, type SettingsOf, text } from '../system/declare.ts';
import { parsePipeTransport, parseSmtpTransport } from './named.ts';

const TABLES = 'a list of tables: ["hash:/etc/posthorn/canonical"]';
const TRANSPORT = '"transport:nexthop", such as "smtp:[10.0.0.1]:25", "lmtp:unix:/run/lmtp", "error:5.1.1 No such user"';
const CLASSES = ['envelope_sender', 'envelope_recipient', 'header_sender', 'header_recipient'] as const;
const SENDER_CLASSES = ['envelope_sender', 'header_sender'] as const;
const RECIPIENT_CLASSES = ['envelope_recipient', 'header_recipient'] as const;
export const EXTENSION_CLASSES = ['canonical', 'virtual', 'alias', 'forward', 'include', 'generic'] as const;

const tables = (doc: string, see: string) => list({ default: [], accepts: TABLES, doc, see });
const postfix = (doc: string, name: string) => tables(doc, `Postfix ${name}`);
const transport = (doc: string, name: string, fallback = '') =>
  text({
    default: fallback,
    accepts: TRANSPORT,
    doc,
    see: `Postfix ${name}`,
    check: (value) => (/^[\x21-\x7e]+/.test(value) ? undefined : 'must be a transport'),
  });
function words(options: { of: readonly string[]; default: readonly string[]; doc: string; name: string }) {
  return list({
    default: options.default,
    accepts: `a list of ${options.of.join(', ')}`,
    doc: options.doc,
    see: `Postfix ${options.name}`,
    check: (entry) => (options.of.includes(entry) ? undefined : `must be one of ${options.of.join(', ')}`),
  });
}
const sentence = <T>(parsed: T | string): string | undefined => (typeof parsed === 'string' ? parsed : undefined);

export const ROUTE_SETTINGS = {
  // Addresses that lack something.
  'route.appendOrigin': flag({ default: true, doc: 'Complete an address without a domain with the option domain.', see: 'Postfix append_at_myorigin' }),
  'route.appendDomain': flag({
    default: false,
    doc: 'Complete a domain without a dot ("user@host") with the parent domain of this host.',
    see: 'Postfix append_dot_mydomain',
  }),
  'route.parentDomain': text({
    default: '',
    accepts: 'a domain, or ""',
    doc: 'That parent domain; empty for hostname without its first label.',
    see: 'Postfix mydomain',
  }),
  'route.swapBangPath': flag({ default: false, doc: 'Read "site!user" as user@site.', see: 'Postfix swap_bangpath' }),
  'route.percentHack': flag({ default: false, doc: 'Read "user%domain" as user@domain.', see: 'Postfix allow_percent_hack' }),
  'route.remoteHeaderRewriteDomain': text({
    default: '',
    accepts: 'a domain, or ""',
    doc: 'Rewrite the header of mail from strangers too, and complete its addresses with this domain; empty leaves their header alone.',
    see: 'Postfix remote_header_rewrite_domain',
  }),

  // Rewriting.
  'route.canonicalMaps': postfix('Other addresses for senders and recipients, in envelope and header.', 'canonical_maps'),
  'route.canonicalClasses': words({ of: CLASSES, default: CLASSES, doc: 'Where canonicalMaps apply.', name: 'canonical_classes' }),
  'route.senderCanonicalMaps': postfix('Other addresses for senders; asked before canonicalMaps.', 'sender_canonical_maps'),
  'route.senderCanonicalClasses': words({
    of: SENDER_CLASSES,
    default: SENDER_CLASSES,
    doc: 'Where senderCanonicalMaps apply.',
    name: 'sender_canonical_classes',
  }),
  'route.recipientCanonicalMaps': postfix('Other addresses for recipients; asked before canonicalMaps.', 'recipient_canonical_maps'),
  'route.recipientCanonicalClasses': words({
    of: RECIPIENT_CLASSES,
    default: RECIPIENT_CLASSES,
    doc: 'Where recipientCanonicalMaps apply.',
    name: 'recipient_canonical_classes',
  }),
  'route.masqueradeDomains': list({
    default: [],
    accepts: 'a list of domains and !domains',
    doc: 'Domains whose subdomains are cut off in addresses.',
    see: 'Postfix masquerade_domains; Sendmail MASQUERADE_DOMAIN',
  }),
  'route.masqueradeExceptions': list({
    default: [],
    accepts: 'a list of local parts',
    doc: 'Users whose addresses are not cut.',
    see: 'Postfix masquerade_exceptions',
  }),
  'route.masqueradeClasses': words({
    of: CLASSES,
    default: ['envelope_sender', 'header_sender', 'header_recipient'],
    doc: 'Where masqueradeDomains apply.',
    name: 'masquerade_classes',
  }),
  'route.propagateExtensions': words({
    of: EXTENSION_CLASSES,
    default: ['canonical', 'virtual'],
    doc: 'Lookups whose result gets the extension (user+extension) that the found key did not have.',
    name: 'propagate_unmatched_extensions',
  }),
  'route.virtualAliasRecursionLimit': count({
    default: 1000,
    least: 1,
    most: 100_000,
    doc: 'Virtual aliases that may lead to one another.',
    see: 'Postfix virtual_alias_recursion_limit',
  }),
  'route.virtualAliasExpansionLimit': count({
    default: 1000,
    least: 1,
    most: 1_000_000,
    doc: 'Addresses one virtual alias may lead to.',
    see: 'Postfix virtual_alias_expansion_limit',
  }),
  'route.virtualAliasAddressLengthLimit': count({
    default: 1000,
    least: 100,
    most: 10_000,
    doc: 'Characters of one address a virtual alias leads to.',
    see: 'Postfix virtual_alias_address_length_limit',
  }),
  'route.virtusertable': tables('Addresses of other domains and where they lead, with %1 and error:nouser.', 'Sendmail FEATURE(virtusertable)'),
  'route.genericMaps': postfix('Addresses of this host and what they are outside; for mail that leaves by SMTP.', 'smtp_generic_maps'),
  'route.genericstable': tables('Senders of this host and what they are outside; for mail that leaves by SMTP.', 'Sendmail FEATURE(genericstable)'),
  'route.genericsDomains': list({
    default: [],
    accepts: 'a list of domains',
    doc: 'Domains whose senders are looked up in genericstable; the option domain is one.',
    see: 'Sendmail GENERICS_DOMAIN',
  }),
  'route.relocatedMaps': postfix('Users who are elsewhere now: mail for them is refused with their new address.', 'relocated_maps'),
  'route.alwaysBcc': text({ default: '', accepts: 'an address, or ""', doc: 'Gets a copy of every message.', see: 'Postfix always_bcc' }),
  'route.senderBccMaps': postfix('Addresses that get a copy of what certain senders send.', 'sender_bcc_maps'),
  'route.recipientBccMaps': postfix('Addresses that get a copy of what certain recipients are sent.', 'recipient_bcc_maps'),

  // Where it goes.
  'route.transportMaps': postfix('Transport and next host by address or domain; asked after deliver.transports.', 'transport_maps'),
  'route.transportParentDomainMatches': flag({
    default: false,
    doc: 'A domain in transportMaps stands for its subdomains; off: ".domain" does.',
    see: 'Postfix parent_domain_matches_subdomains',
  }),
  'route.mailertable': tables("Mailer and host by domain, in Sendmail's words; asked after transportMaps.", 'Sendmail FEATURE(mailertable)'),
  'route.defaultTransport': transport('For domains that are not ours.', 'default_transport', 'smtp'),
  'route.relayTransport': transport('For policy.relayDomains.', 'relay_transport', 'relay'),
  'route.virtualTransport': transport('For policy.virtualMailboxDomains; "virtual" is the store, or virtualMailboxBase.', 'virtual_transport', 'virtual'),
  'route.localTransport': transport('For policy.localDomains.', 'local_transport', 'local'),
  'route.senderDependentRelayHostMaps': postfix('Relay host by sender; before deliver.relayHost.', 'sender_dependent_relayhost_maps'),
  'route.senderDependentDefaultTransportMaps': postfix('Transport by sender; before defaultTransport.', 'sender_dependent_default_transport_maps'),
  'route.fallbackRelay': list({
    default: [],
    accepts: 'a list of hosts: ["[relay.example.org]", "backup.example.net:587"]',
    doc: 'Hosts that take mail whose destination cannot be found or reached.',
    see: 'Postfix smtp_fallback_relay',
  }),
  'route.destinationRateDelay': duration({ default: 0, doc: 'Pause between two messages to one destination.', see: 'Postfix default_destination_rate_delay' }),

  // Users of this machine.
  'route.mailboxTransport': transport('Takes the mail of all local users instead of their mailboxes.', 'mailbox_transport'),
  'route.mailboxTransportMaps': postfix('The same by user.', 'mailbox_transport_maps'),
  'route.mailboxCommand': text({ default: '', doc: "Command that local users' mail is given to instead of their mailboxes.", see: 'Postfix mailbox_command' }),
  'route.mailboxCommandMaps': postfix('The same by user.', 'mailbox_command_maps'),
  'route.fallbackTransport': transport('Takes the mail of local names that are no users.', 'fallback_transport'),
  'route.fallbackTransportMaps': postfix('The same by name.', 'fallback_transport_maps'),
  'route.luserRelay': text({
    default: '',
    accepts: 'an address, a user, "|command", "/file", or "" for none; with $user, $local, $extension, $domain, $recipient',
    doc: 'Takes the mail of local names that are neither users nor aliases.',
    see: 'Postfix luser_relay',
  }),

  // Virtual mailboxes as files.
  'route.virtualMailboxBase': text({
    default: '',
    accepts: 'a directory, or ""',
    doc: 'Directory below which policy.virtualMailboxMaps name mailboxes ("name/" is a Maildir); empty: they name accounts of the store.',
    see: 'Postfix virtual_mailbox_base',
    check: (value) => (value.startsWith('/') ? undefined : 'must be a full path, from "/" on'),
  }),
  'route.virtualMailboxUser': text({
    default: '',
    accepts: 'a user name, or ""',
    doc: 'System user who owns these mailboxes.',
    see: 'Postfix virtual_uid_maps',
  }),

  // Transports with names.
  'transport.smtp': list({
    default: [],
    accepts:
      'a list of "name option=value …": concurrency, rateDelay, recipients, messages, port, tls, tlsCaFile, implicitTls, bind4, bind6, helo, user, passwordFile, connectTimeout, fallback, protocol',
    doc: 'SMTP (or LMTP) transports with settings of their own, for use as "name:nexthop".',
    see: 'Postfix master.cf, transport_destination_concurrency_limit, transport_destination_rate_delay',
    check: (entry) => sentence(parseSmtpTransport(entry)),
  }),
  'transport.pipe': list({
    default: [],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    accepts: 'a list of "name flags=DRhu user=name:group directory=/path argv=/path/to/program -f ${sender} ${recipient}"',
    doc: 'Programs that mail is given to, for use as "name:nexthop".',
    see: 'Postfix pipe(8)',
    check: (entry) => sentence(parsePipeTransport(entry)),
  }),
};

export type RouteSettings = SettingsOf<typeof ROUTE_SETTINGS>;
