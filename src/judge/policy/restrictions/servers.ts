/** check_*_{a,mx,ns}_access: what an access table says about the hosts behind a name: its addresses, mail exchangers or name servers. */
import { networkKeys } from '../../../directory/tables/search.ts';
import type { Table } from '../../../ports.ts';
import { UNKNOWN_NAME } from '../client-name.ts';
import { isHostAddress, isHostName, literalAddress } from '../hostname.ts';
import { POLICY_LIMITS } from '../limits.ts';
import { lookup4, lookup6, lookupMx, lookupNs } from '../names.ts';
import type { Builder, Restriction } from '../restriction.ts';
import type { Run } from '../run.ts';
import { DUNNO, type Soon, type Status } from '../status.ts';
import type { Need } from '../stages.ts';
import { SUBJECT, type Subject, type SubjectName } from '../words.ts';
import { ask, forbidPermit, nameKeys } from './access.ts';

type RecordType = 'a' | 'mx' | 'ns';

/** The part of the session whose name is looked at: null when there is none. `reply` is how a refusal names it. */
interface Side {
  readonly needs: Need | undefined;
  readonly subject: Subject;
  readonly doc: string;
  name(run: Run): Soon<{ name: string; reply: SubjectName; text: string } | null>;
}

const SIDES: Readonly<Record<string, Side>> = {
  client: {
    needs: undefined,
    subject: SUBJECT.client,
    doc: 'the confirmed name of the client',
    name: async (run) => {
      const { name } = await run.names();
      return name === UNKNOWN_NAME ? null : { name, reply: null, text: name };
    },
  },
  reverse_client_hostname: {
    needs: undefined,
    subject: SUBJECT.reverseClient,
    doc: "the name that the client's address claims",
    name: async (run) => {
      const { reverseName } = await run.names();
      return reverseName === UNKNOWN_NAME ? null : { name: reverseName, reply: reverseName, text: reverseName };
    },
  },
  helo: {
    needs: 'helo',
    subject: SUBJECT.helo,
    doc: 'the HELO name',
    name: ({ facts: { helo } }) => (helo === null ? null : { name: helo, reply: helo, text: helo }),
  },
  sender: {
    needs: 'sender',
    subject: SUBJECT.sender,
    doc: "the sender's domain",
    name: ({ facts: { sender, senderText } }) => (sender === null ? null : { name: sender.domain, reply: senderText, text: senderText ?? '' }),
  },
  recipient: {
    needs: 'recipient',
    subject: SUBJECT.recipient,
    doc: "the recipient's domain",
    name: (run) => (run.recipient === null ? null : { name: run.recipient.domain, reply: run.recipientText, text: run.recipientText ?? '' }),
  },
};

const WORDS: Readonly<Record<RecordType, string>> = { a: 'addresses', mx: 'mail exchangers', ns: 'name servers' };

export const SERVERS: readonly Restriction[] = Object.entries(SIDES).flatMap(([key, side]) =>
  (['a', 'mx', 'ns'] as const).map(
    (type): Restriction => ({
      names: [`check_${key}_${type}_access`],
      argument: 'type:table',
      ...(side.needs === undefined ? {} : { needs: side.needs }),
      isPerRecipient: key === 'recipient',
      doc: `What a table says about the ${WORDS[type]} of ${side.doc}; it may refuse, not permit.`,
      build: (argument, builder) => {
        const table = builder.table(argument);
        return (run) => checkServers(run, builder, table, type, side);
      },
    }),
  ),
);

async function checkServers(run: Run, builder: Builder, table: Table, type: RecordType, side: Side): Promise<Status> {
  const asked = await side.name(run);
  if (asked === null) return DUNNO;
  const { name, reply, text } = asked;
  return forbidPermit(run, await search(run, builder, table, type, name, reply, side.subject), text);
}

async function search(run: Run, builder: Builder, table: Table, type: RecordType, name: string, reply: SubjectName, subject: Subject): Promise<Status> {
  const found = { yes: false };
  const askAddress = (ip: string): Soon<Status> => ask(run, builder, table, networkKeys(ip), reply, subject, found);
  if (name.startsWith('[')) {
    // A literal is its own mail exchanger, and has no name servers.
    const ip = type !== 'ns' && name.endsWith(']') ? literalAddress(name.slice(1, -1)) : null;
    return ip === null ? DUNNO : askAddress(ip);
  }
  for (const server of (await serversOf(run, type, name)).slice(0, POLICY_LIMITS.serversChecked)) {
    if (isHostAddress(server)) {
      const status = await askAddress(server);
      if (status !== DUNNO || found.yes) return status;
      continue;
    }
    if (type !== 'a') {
      const status = await ask(run, builder, table, nameKeys(server, builder), reply, subject, found);
      if (status !== DUNNO || found.yes) return status;
    }
    const { dns } = run.context;
    const answers = await Promise.all([lookup4(dns, server), lookup6(dns, server)]);
    const addresses = answers.flatMap((answer) => (answer.kind === 'found' ? answer.records : []));
    for (const ip of addresses.slice(0, POLICY_LIMITS.serverAddressesChecked)) {
      const status = await askAddress(ip);
      if (status !== DUNNO || found.yes) return status;
    }
  }
  return DUNNO;
}

/** A name without mail exchangers is its own; one without name servers has those of the domain above it. */
async function serversOf(run: Run, type: RecordType, name: string): Promise<readonly string[]> {
  if (type === 'a') return [name];
  const { dns } = run.context;
  if (type === 'mx') {
    if (!isHostName(name)) return [name];
    const answer = await lookupMx(dns, name);
    if (answer.kind === 'none') return [name];
    if (answer.kind === 'failed') return [];
    return answer.records.map(({ exchange }) => exchange).filter((exchange) => exchange !== '' && exchange !== '.');
  }
  let domain = name;
  for (let asked = 0; asked < POLICY_LIMITS.parentDomainsAsked; asked += 1) {
    if (isHostName(domain)) {
      const answer = await lookupNs(dns, domain);
      if (answer.kind === 'found') return answer.records;
      if (answer.kind === 'failed') return [];
    }
    const dot = domain.indexOf('.');
    if (dot === -1 || dot + 1 >= domain.length) return [];
    domain = domain.slice(dot + 1);
  }
  return [];
}
