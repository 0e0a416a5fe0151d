/** Restrictions on sender and recipient addresses that treat both alike. */
import type { Address } from '../../../ports.ts';
import { mailDomainState } from '../domain-check.ts';
import { isHostName, withoutFinalDot } from '../hostname.ts';
import { isFinal } from '../destination.ts';
import { rejectUnlistedRecipient, rejectUnlistedSender } from '../listed.ts';
import type { Restriction } from '../restriction.ts';
import type { Run, TempfailAction } from '../run.ts';
import { after, DUNNO, type Soon, type Status } from '../status.ts';
import { SUBJECT } from '../words.ts';

type Side = 'sender' | 'recipient';

function addressOf(run: Run, side: Side): Address | null {
  return side === 'sender' ? run.facts.sender : run.recipient;
}
function textOf(run: Run, side: Side): string {
  return (side === 'sender' ? run.facts.senderText : run.recipientText) ?? '';
}

function nonFqdn(run: Run, side: Side): Soon<Status> {
  const address = addressOf(run, side);
  if (address === null) return DUNNO;
  const text = textOf(run, side);
  if (address.domain.startsWith('[')) return DUNNO;
  const domain = withoutFinalDot(address.domain);
  if (domain !== '' && domain.includes('.') && isHostName(domain, run.facts.smtputf8)) return DUNNO;
  return run.reject(run.codes.nonFqdnReject, '4.5.2', text, SUBJECT[side], 'need fully-qualified address');
}

function unknownDomain(run: Run, side: Side, tempfail: TempfailAction): Soon<Status> {
  const address = addressOf(run, side);
  if (address === null || address.domain.startsWith('[')) return DUNNO;
  const text = textOf(run, side);
  return after(isFinal(run, address, text), (final) => {
    if (typeof final === 'number') return final;
    if (final) return DUNNO;
    const domain = withoutFinalDot(address.domain);
    return after(mailDomainState(run.dns, domain), (state) => {
      const unknown = side === 'sender' ? '4.1.8' : '4.1.2';
      switch (state) {
        case 'exists':
          return DUNNO;
        case 'nullMx':
          return side === 'sender'
            ? run.reject(550, '4.7.27', text, SUBJECT[side], `Domain ${domain} does not accept mail (nullMX)`)
            : run.reject(556, '4.1.10', text, SUBJECT[side], `Domain ${domain} does not accept mail (nullMX)`);
        case 'malformed':
          return run.reject(run.codes.unknownAddressReject, unknown, text, SUBJECT[side], 'Malformed DNS server reply');
        case 'none':
          return run.reject(run.codes.unknownAddressReject, unknown, text, SUBJECT[side], 'Domain not found');
        case 'failed':
          return run.tempfail(tempfail, 450, unknown, text, SUBJECT[side], 'Domain not found');
      }
    });
  });
}

interface Unverified {
  readonly reject: number;
  readonly defer: number;
  readonly tempfail: TempfailAction;
  readonly reason: string;
}
const PROBE_TEXT_CHARACTERS_MAX = 250;

function unverified(run: Run, side: Side, parameters: Unverified): Soon<Status> {
  const address = addressOf(run, side);
  if (address === null) return DUNNO;
  const text = textOf(run, side);
  const enhanced = side === 'sender' ? '4.1.7' : '4.1.1';
  return run.consult(
    text,
    () => run.context.prober.probe(address, run.signal),
    (answer) => {
      if (answer.status === 'deliverable') return DUNNO;
      const code = answer.status === 'undeliverable' ? parameters.reject : parameters.defer;
      const why = parameters.reason === '' ? answer.text : parameters.reason;
      if (code < 400) return DUNNO;
      return code < 500
        ? run.tempfail(parameters.tempfail, code, enhanced, text, SUBJECT[side], `unverified address: ${why.slice(0, PROBE_TEXT_CHARACTERS_MAX)}`)
        : run.reject(code, enhanced, text, SUBJECT[side], `undeliverable address: ${why}`);
    },
  );
}

export const ADDRESS: readonly Restriction[] = [
  {
    names: ['reject_non_fqdn_sender'],
    needs: 'sender',
    doc: 'Refuses senders whose domain is not fully qualified.',
    build: () => (run) => nonFqdn(run, 'sender'),
  },
  {
    names: ['reject_non_fqdn_recipient'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'Refuses recipients whose domain is not fully qualified.',
    build: () => (run) => nonFqdn(run, 'recipient'),
  },
  {
    names: ['reject_unknown_sender_domain', 'reject_unknown_address'],
    needs: 'sender',
    doc: 'Refuses senders whose domain has neither mail exchanger nor address, or says it takes no mail.',
    build:
      (_argument, { config }) =>
      (run) =>
        unknownDomain(run, 'sender', config.unknownAddressTempfail),
  },
  {
    names: ['reject_unknown_recipient_domain'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'Refuses recipients whose domain has neither mail exchanger nor address, or says it takes no mail.',
    build:
      (_argument, { config }) =>
      (run) =>
        unknownDomain(run, 'recipient', config.unknownAddressTempfail),
  },
  { names: ['reject_unlisted_sender'], needs: 'sender', doc: 'Refuses senders at our domains that do not exist.', build: () => rejectUnlistedSender },
  {
    names: ['reject_unlisted_recipient', 'check_recipient_maps'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'Refuses recipients at our domains that do not exist.',
    build: () => rejectUnlistedRecipient,
  },
  {
    names: ['reject_unverified_sender'],
    needs: 'sender',
    doc: 'Refuses senders whose own server would refuse mail to them; the answers are remembered.',
    build: (_argument, { config }) => {
      const parameters: Unverified = {
        reject: config.codes.unverifiedSenderReject,
        defer: config.codes.unverifiedSenderDefer,
        tempfail: config.unverifiedSenderTempfail,
        reason: config.unverifiedSenderReason,
      };
      return (run) => unverified(run, 'sender', parameters);
    },
  },
  {
    names: ['reject_unverified_recipient'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'Refuses recipients that the next server would refuse; the answers are remembered.',
    build: (_argument, { config }) => {
      const parameters: Unverified = {
        reject: config.codes.unverifiedRecipientReject,
        defer: config.codes.unverifiedRecipientDefer,
        tempfail: config.unverifiedRecipientTempfail,
        reason: config.unverifiedRecipientReason,
      };
      return (run) => unverified(run, 'recipient', parameters);
    },
  },
];
