/** DNS lists of bad and good addresses and domains. A list that does not answer never refuses mail. */
import ipaddr from 'ipaddr.js';
import type { Table } from '../../../ports.ts';
import { UNKNOWN_NAME } from '../client-name.ts';
import type { SmtpFacts } from '../facts.ts';
import { isAuthorised } from '../destination.ts';
import { hasNumericEnd, isHostName } from '../hostname.ts';
import { POLICY_LIMITS } from '../limits.ts';
import { compileTemplate, expandTemplate, type Template } from '../macros.ts';
import { lookup4, lookupTxt } from '../names.ts';
import { parseRblFilter, type RblFilter } from '../rbl-filter.ts';
import { type Builder, type Restriction, WrongArgument } from '../restriction.ts';
import type { Run } from '../run.ts';
import { firstValue } from '../lookup.ts';
import { after, DUNNO, PERMIT, type Soon, type Status } from '../status.ts';
import type { Need } from '../stages.ts';
import { enhancedFor, splitEnhanced, SUBJECT, type Subject } from '../words.ts';

interface DnsList {
  readonly zone: string;
  readonly filter: RblFilter | null;
}

function parseList(argument: string): DnsList {
  const at = argument.indexOf('=');
  const zone = (at === -1 ? argument : argument.slice(0, at)).replace(/\.$/, '');
  if (!isHostName(zone)) throw new WrongArgument(`"${zone}" is no domain name`);
  if (at === -1) return { zone, filter: null };
  const filter = parseRblFilter(argument.slice(at + 1));
  if (typeof filter === 'string') throw new WrongArgument(filter);
  return { zone, filter };
}

/** What is looked up in a list of addresses: octets, or nibbles of an IPv6 address, in reverse. */
export function reversedAddress(ip: string): string {
  if (!ip.includes(':')) return ip.split('.').reverse().join('.');
  return [...Buffer.from(ipaddr.IPv6.parse(ip).toByteArray()).toString('hex')].reverse().join('.');
}

/** What is looked up in a list of domains; null for address literals, numbers and what is no name. */
function listedDomain(domain: string): string | null {
  return domain === '' || domain.startsWith('[') || hasNumericEnd(domain) || !isHostName(domain) ? null : domain;
}

/** Is `what` in the list? 'failed' when the list did not answer. */
function isListed(run: Run, list: DnsList, what: string): Soon<boolean | 'failed'> {
  return after(lookup4(run.dns, `${what}.${list.zone}`), (answer) => {
    if (answer.kind === 'failed') {
      run.context.metrics.count('policy.rbl.failed', 1, list.zone);
      return 'failed';
    }
    return answer.kind === 'found' && (list.filter === null || answer.records.some((address) => list.filter!.matches(address)));
  });
}

const MACROS: ReadonlySet<string> = new Set([
  'rbl_code',
  'rbl_class',
  'rbl_domain',
  'rbl_reason',
  'rbl_text',
  'rbl_txt',
  'rbl_what',
  'client',
  'client_address',
  'client_name',
  'client_port',
  'reverse_client_name',
  'helo_name',
  'recipient',
  'recipient_name',
  'recipient_domain',
  'sender',
  'sender_name',
  'sender_domain',
  'server_name',
]);

interface RblReplies {
  readonly usual: Template;
  readonly maps: readonly Table[];
}

function repliesOf(builder: Builder): RblReplies {
  const usual = compileTemplate(builder.config.defaultRblReply, MACROS);
  if (typeof usual === 'string') throw new WrongArgument(`policy.rblReply: ${usual}`);
  return { usual, maps: builder.config.rblReplyMaps.map((spec) => builder.table(spec)) };
}

/** The list's own words (TXT) and the template make the reply. */
async function refuse(run: Run, list: DnsList, replies: RblReplies, key: string, what: string, subject: Subject): Promise<Status> {
  const [txt, names] = await Promise.all([lookupTxt(run.dns, `${key}.${list.zone}`), run.names()]);
  const reason = txt.kind === 'found' ? txt.records.join(' / ').slice(0, POLICY_LIMITS.rblTextCharacters) : '';
  const template = await templateFor(run, list, replies);
  if (typeof template === 'number') return template;
  const { facts } = run;
  const text = expandTemplate(template, (name) => {
    switch (name) {
      case 'rbl_code':
        return String(run.codes.mapsRblReject);
      case 'rbl_class':
        return subject;
      case 'rbl_domain':
        return list.zone;
      case 'rbl_reason':
      case 'rbl_text':
      case 'rbl_txt':
        return reason;
      case 'rbl_what':
        return what;
      case 'client':
        return `${names.name}[${facts.client.ip}]`;
      case 'client_name':
        return names.name;
      case 'reverse_client_name':
        return names.reverseName;
      case 'server_name':
        return run.context.hostname;
      default:
        return sessionValue(facts, name);
    }
  });
  const match = /^([45]\d\d) (.*)$/s.exec(text);
  if (match === null) {
    run.note('policy.misconfigured', `the reply for ${list.zone} does not begin with 4xx or 5xx: ${text}`);
    return run.refuse(450, '4.7.1', 'Service unavailable');
  }
  const split = splitEnhanced(match[2]!, '4.7.1');
  return run.refuse(Number(match[1]), enhancedFor(split.enhanced, subject), split.text === '' ? 'Service unavailable' : split.text);
}

function sessionValue(facts: SmtpFacts, name: string): string {
  if (name === 'client_address') return facts.client.ip;
  if (name === 'client_port') return String(facts.client.port);
  if (name === 'helo_name') return facts.helo ?? '';
  const [side, part] = name.split('_');
  const text = side === 'sender' ? facts.senderText : facts.recipientText;
  if (text === null) return '';
  const at = text.lastIndexOf('@');
  if (part === 'domain') return at === -1 ? '' : text.slice(at + 1);
  if (text === '') return '<>';
  return part === 'name' && at !== -1 ? text.slice(0, at) : text;
}

async function templateFor(run: Run, list: DnsList, replies: RblReplies): Promise<Template | Status> {
  try {
    const own = await firstValue(replies.maps, [list.zone], run.signal);
    if (own === null) return replies.usual;
    const template = compileTemplate(own, MACROS);
    if (typeof template !== 'string') return template;
    run.context.log.warn('policy.misconfigured', { restriction: run.asking, cause: `the reply for ${list.zone}: ${template}` });
    return replies.usual;
  } catch (cause) {
    return run.misconfigured(`policy.rblReplyMaps: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** What a list is asked about. `key` goes into the question, `what` into the reply. */
interface Side {
  readonly needs?: Need;
  readonly subject: Subject;
  readonly doc: string;
  look(run: Run): Soon<{ key: string; what: string } | null>;
}

const byDomain = (name: string | null): { key: string; what: string } | null => {
  if (name === null || name === UNKNOWN_NAME) return null;
  const key = listedDomain(name);
  return key === null ? null : { key, what: name };
};
const CLIENT_ADDRESS: Side = {
  subject: SUBJECT.client,
  doc: 'the client address',
  look: ({ facts: { client } }) => ({ key: reversedAddress(client.ip), what: client.ip }),
};
const CLIENT_NAME: Side = { subject: SUBJECT.client, doc: 'the confirmed client name', look: (run) => after(run.names(), ({ name }) => byDomain(name)) };
const REVERSE_NAME: Side = {
  subject: SUBJECT.reverseClient,
  doc: "the name that the client's address claims",
  look: (run) => after(run.names(), ({ reverseName }) => byDomain(reverseName)),
};
const HELO_NAME: Side = { needs: 'helo', subject: SUBJECT.helo, doc: 'the HELO name', look: ({ facts: { helo } }) => byDomain(helo) };
const SENDER: Side = {
  needs: 'sender',
  subject: SUBJECT.sender,
  doc: "the sender's domain",
  look: ({ facts: { sender, senderText } }) => named(sender?.domain, senderText),
};
const RECIPIENT: Side = {
  needs: 'recipient',
  subject: SUBJECT.recipient,
  doc: "the recipient's domain",
  look: (run) => named(run.recipient?.domain, run.recipientText),
};
function named(domain: string | undefined, what: string | null): { key: string; what: string } | null {
  const key = domain === undefined ? null : listedDomain(domain);
  return key === null ? null : { key, what: what ?? '' };
}

function rejecting(names: readonly string[], side: Side): Restriction {
  return {
    names,
    argument: 'zone',
    ...(side.needs === undefined ? {} : { needs: side.needs }),
    isPerRecipient: side === RECIPIENT,
    doc: `Refuses when a DNS list (zone, or zone=filter) has ${side.doc}.`,
    build: (argument, builder) => {
      const list = parseList(argument);
      const replies = repliesOf(builder);
      return (run) =>
        after(side.look(run), (asked) => {
          if (asked === null) return DUNNO;
          return after(isListed(run, list, asked.key), (listed) => (listed === true ? refuse(run, list, replies, asked.key, asked.what, side.subject) : DUNNO));
        });
    },
  };
}

function permitting(name: string, side: Side): Restriction {
  return {
    names: [name],
    argument: 'zone',
    // At RCPT it permits only what is ours to take anyway: nobody else's list decides who may relay here.
    isPerRecipient: true,
    doc: `Permits when a DNS list (zone, or zone=filter) has ${side.doc}; never to relay.`,
    build: (argument) => {
      const list = parseList(argument);
      return (run) =>
        after(mayPermit(run), (may) => {
          if (typeof may === 'number') return may;
          if (!may) return DUNNO;
          return after(side.look(run), (asked) => {
            if (asked === null) return DUNNO;
            return after(isListed(run, list, asked.key), (listed) => {
              if (listed === 'failed') return run.deferRejection(450, '4.7.1', asked.what, side.subject, 'Service unavailable');
              return listed ? PERMIT : DUNNO;
            });
          });
        });
    },
  };
}

function mayPermit(run: Run): Soon<boolean | Status> {
  const { recipient } = run;
  if (run.facts.state !== 'RCPT' || recipient === null) return true;
  return isAuthorised(run, recipient, run.facts.recipientText ?? '');
}

export const RBL: readonly Restriction[] = [
  rejecting(['reject_rbl_client', 'reject_rbl'], CLIENT_ADDRESS),
  permitting('permit_dnswl_client', CLIENT_ADDRESS),
  rejecting(['reject_rhsbl_client'], CLIENT_NAME),
  permitting('permit_rhswl_client', CLIENT_NAME),
  rejecting(['reject_rhsbl_reverse_client'], REVERSE_NAME),
  rejecting(['reject_rhsbl_helo'], HELO_NAME),
  rejecting(['reject_rhsbl_sender'], SENDER),
  rejecting(['reject_rhsbl_recipient'], RECIPIENT),
];
