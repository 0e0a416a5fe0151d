/** check_*_access: what an access table (access(5)) says about a name, an address, a login or a certificate. */
import type { Address, Table } from '../../../ports.ts';
import type { Check } from '../engine.ts';
import { isHostAddress } from '../hostname.ts';
import type { Builder, Restriction } from '../restriction.ts';
import type { Run } from '../run.ts';
import { accessAddressKeys, domainKeys, networkKeys, type SearchOptions } from '../../../directory/tables/search.ts';
import { firstValue } from '../lookup.ts';
import { bracedParts } from '../split.ts';
import { after, DUNNO, PERMIT, type Soon, type Status } from '../status.ts';
import { SUBJECT, type Subject, type SubjectName } from '../words.ts';
import { classOf } from '../destination.ts';
import { WrongArgument } from '../restriction.ts';

/** What a table that cannot answer says, as Postfix has it. */
const UNREADABLE = '451 4.3.5 Server configuration error';

/** Looks `keys` up and carries out what is found; DUNNO when nothing is. `found` hears that something was, even if it is DUNNO. */
export function ask(
  run: Run,
  builder: Builder,
  table: Table,
  keys: readonly string[],
  name: SubjectName,
  subject: Subject,
  found?: { yes: boolean },
): Soon<Status> {
  const perform = (value: string | null): Soon<Status> => {
    if (value === null) return DUNNO;
    if (found !== undefined) found.yes = true;
    return builder.actions.perform(run, builder.list, value, table.name, keys[0]!, name, subject);
  };
  const failed = (cause: unknown): Soon<Status> => {
    run.context.log.warn('policy.lookup.failed', {
      session: run.facts.instance,
      restriction: run.asking,
      cause: cause instanceof Error ? cause.message : String(cause),
    });
    return perform(UNREADABLE);
  };
  let value: Soon<string | null>;
  try {
    value = firstValue(table, keys, run.signal);
  } catch (cause) {
    return failed(cause);
  }
  return value instanceof Promise ? value.then(perform, failed) : perform(value);
}

/** A name and its parents, then an address and its networks. A cidr table knows no names. */
function askNameAndAddress(run: Run, builder: Builder, table: Table, name: string | null, ip: string, reply: SubjectName, subject: Subject): Soon<Status> {
  const found = { yes: false };
  const byName = name === null ? DUNNO : ask(run, builder, table, nameKeys(name, builder), reply, subject, found);
  return after(byName, (status) => (status !== DUNNO || found.yes ? status : ask(run, builder, table, networkKeys(ip), reply, subject)));
}

/** A permit from information that anybody can put into his own DNS opens the door to anybody: refused as a mistake, as Postfix does. */
export function forbidPermit(run: Run, status: Status, what: string): Status {
  return status === PERMIT && !run.effects.isDiscarded
    ? run.misconfigured(`${run.asking} permits ${what}; use DUNNO instead of OK to make an exception`)
    : status;
}

/** A name that is a number has no parents. */
export function nameKeys(name: string, builder: Builder): string[] {
  return isHostAddress(name) ? [name] : domainKeys(name, builder.config.parentDomainMatches);
}
const searchOptions = ({ config }: Builder): SearchOptions => ({ delimiters: config.recipientDelimiters, parentMatchesSubdomains: config.parentDomainMatches });
/** Tables see addresses in lower case, patterns too. */
const addressKeys = (address: Address, options: SearchOptions): string[] =>
  accessAddressKeys({ local: address.local.toLowerCase(), domain: address.domain }, options);

const isCidr = (table: Table): boolean => table.name.startsWith('cidr:') || table.name.startsWith('proxy:cidr:');

type Search = 'cert_fingerprint' | 'pubkey_fingerprint';

/** `type:table`, or `{ type:table, search_order = pubkey_fingerprint, cert_fingerprint }` (Postfix 3.5). */
function parseCertificateTable(argument: string): { spec: string; order: readonly Search[] } {
  const parts = bracedParts(argument);
  if (parts === null) return { spec: argument, order: ['cert_fingerprint', 'pubkey_fingerprint'] };
  const spec = parts[0] ?? '';
  const words = parts
    .slice(1)
    .join(' ')
    .replace(/[{}]/g, ' ')
    .replace(/\s*=\s*/g, '= ')
    .trim()
    .split(/[\s,]+/);
  if (parts.length === 1) return { spec, order: ['cert_fingerprint', 'pubkey_fingerprint'] };
  const order = words.slice(1).filter((word) => word !== '');
  const isOrder = (word: string): word is Search => word === 'cert_fingerprint' || word === 'pubkey_fingerprint';
  if (words[0] !== 'search_order=' || order.length === 0 || !order.every(isOrder)) {
    throw new WrongArgument('search_order takes cert_fingerprint and pubkey_fingerprint');
  }
  return { spec, order: order as Search[] };
}

function checkHelo(argument: string, builder: Builder): Check {
  const table = builder.table(argument);
  return (run) => {
    const { helo } = run.facts;
    return helo === null ? DUNNO : ask(run, builder, table, nameKeys(helo, builder), helo, SUBJECT.helo);
  };
}

function checkCertificate(argument: string, builder: Builder): Check {
  const { spec, order } = parseCertificateTable(argument);
  const table = builder.table(spec);
  return (run) => {
    const certificate = run.facts.tls?.certificate ?? null;
    if (certificate === null) return DUNNO;
    const next = (at: number): Soon<Status> => {
      if (at === order.length) return DUNNO;
      const key = order[at] === 'cert_fingerprint' ? certificate.fingerprint : certificate.publicKeyFingerprint;
      return after(ask(run, builder, table, [key], certificate.subject, SUBJECT.certificate), (status) => (status !== DUNNO ? status : next(at + 1)));
    };
    return next(0);
  };
}

function checkSender(argument: string, builder: Builder): Check {
  const table = builder.table(argument);
  const { nullSenderKey } = builder.config;
  const options = searchOptions(builder);
  return (run) => {
    const { sender, senderText } = run.facts;
    if (senderText === null) return DUNNO;
    if (sender === null) return ask(run, builder, table, [nullSenderKey], senderText, SUBJECT.sender);
    return ask(run, builder, table, addressKeys(sender, options), senderText, SUBJECT.sender);
  };
}

function checkRecipient(argument: string, builder: Builder): Check {
  const table = builder.table(argument);
  const options = searchOptions(builder);
  return (run) => {
    const { recipient } = run;
    if (recipient === null) return DUNNO;
    const text = run.facts.recipientText ?? '';
    const keys = addressKeys(recipient, options);
    return after(ask(run, builder, table, keys, text, SUBJECT.recipient), (status) => {
      if (status !== PERMIT) return status;
      // Who permits user@ours must not thereby permit user%other@ours.
      return after(classOf(run, recipient, text), (found) =>
        typeof found === 'number' ? found : found === 'routed' && !run.effects.isDiscarded ? DUNNO : PERMIT,
      );
    });
  };
}

export const ACCESS: readonly Restriction[] = [
  {
    names: ['check_client_access'],
    argument: 'type:table',
    doc: "What a table says about the client's name, its parent domains, its address, its networks.",
    build: (argument, builder) => {
      const table = builder.table(argument);
      if (isCidr(table)) return (run) => askNameAndAddress(run, builder, table, null, run.facts.client.ip, null, SUBJECT.client);
      return (run) => after(run.names(), ({ name }) => askNameAndAddress(run, builder, table, name, run.facts.client.ip, null, SUBJECT.client));
    },
  },
  {
    names: ['check_reverse_client_hostname_access'],
    argument: 'type:table',
    doc: "The same for the name that the client's address claims; it may refuse, not permit.",
    build: (argument, builder) => {
      const table = builder.table(argument);
      return (run) =>
        after(run.names(), ({ reverseName }) =>
          after(askNameAndAddress(run, builder, table, reverseName, run.facts.client.ip, reverseName, SUBJECT.reverseClient), (status) =>
            forbidPermit(run, status, reverseName),
          ),
        );
    },
  },
  {
    names: ['check_helo_access'],
    argument: 'type:table',
    needs: 'helo',
    doc: 'What a table says about the HELO name and its parent domains.',
    build: checkHelo,
  },
  {
    names: ['check_sender_access'],
    argument: 'type:table',
    needs: 'sender',
    doc: 'What a table says about the sender, its domain, its user@.',
    build: checkSender,
  },
  {
    names: ['check_recipient_access'],
    argument: 'type:table',
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'What a table says about the recipient, its domain, its user@.',
    build: checkRecipient,
  },
  {
    names: ['check_etrn_access'],
    argument: 'type:table',
    needs: 'etrn',
    doc: 'What a table says about the ETRN domain and its parent domains.',
    build: (argument, builder) => {
      const table = builder.table(argument);
      return (run) => {
        const domain = run.facts.etrnDomain;
        return domain === null ? DUNNO : ask(run, builder, table, nameKeys(domain, builder), domain, SUBJECT.etrn);
      };
    },
  },
  {
    names: ['check_sasl_access'],
    argument: 'type:table',
    doc: 'What a table says about the login.',
    build: (argument, builder) => {
      const table = builder.table(argument);
      return (run) => {
        const { login } = run.facts;
        return login === null || login === '' ? DUNNO : ask(run, builder, table, [login], login, SUBJECT.login);
      };
    },
  },
  {
    names: ['check_ccert_access'],
    argument: 'type:table',
    doc: "What a table says about the fingerprint of the client's certificate or public key.",
    build: checkCertificate,
  },
];
