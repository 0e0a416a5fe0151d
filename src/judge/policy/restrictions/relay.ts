/** Restrictions that decide who may send where: the ones that keep this server from being an open relay. */
import { isAuthorised } from '../destination.ts';
import type { Restriction } from '../restriction.ts';
import type { Run } from '../run.ts';
import { permitMxBackup } from '../mx-backup.ts';
import { after, DUNNO, PERMIT, type Soon, type Status } from '../status.ts';
import { SUBJECT } from '../words.ts';

/** `use` when the recipient is nobody's business here; PERMIT or nothing when it is ours. */
function unlessAuthorised(run: Run, whenAuthorised: Status, use: (text: string) => Soon<Status>): Soon<Status> {
  const { recipient } = run;
  if (recipient === null) return DUNNO;
  const text = run.facts.recipientText ?? '';
  return after(isAuthorised(run, recipient, text), (authorised) => (typeof authorised === 'number' ? authorised : authorised ? whenAuthorised : use(text)));
}

export const RELAY: readonly Restriction[] = [
  {
    names: ['permit_auth_destination'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'Permits recipients at our domains and at those we relay for.',
    build: () => (run) => unlessAuthorised(run, PERMIT, () => DUNNO),
  },
  {
    names: ['reject_unauth_destination'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'Refuses recipients that are neither at our domains nor at those we relay for.',
    build: () => (run) => unlessAuthorised(run, DUNNO, (text) => run.refuse(run.codes.relayDomainsReject, '5.7.1', `<${text}>: Relay access denied`)),
  },
  {
    names: ['defer_unauth_destination'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'The same, for now only.',
    build: () => (run) => unlessAuthorised(run, DUNNO, (text) => run.refuse(run.codes.relayDomainsReject - 100, '4.7.1', `<${text}>: Relay access denied`)),
  },
  {
    names: ['check_relay_domains'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'Permits recipients that are ours and refuses all others; old configurations have it.',
    build: () => (run) =>
      unlessAuthorised(run, PERMIT, (text) => run.reject(run.codes.relayDomainsReject, '5.7.1', text, SUBJECT.recipient, 'Relay access denied')),
  },
  {
    names: ['permit_mx_backup'],
    needs: 'recipient',
    isPerRecipient: true,
    doc: 'Permits recipients that are ours, and those of domains for which the DNS names us as a backup.',
    build: (_argument, builder) => {
      const networks = builder.matchList('policy.mxBackupNetworks', builder.config.mxBackupNetworks);
      return (run) => unlessAuthorised(run, PERMIT, (text) => permitMxBackup(run, run.recipient!, text, networks));
    },
  },
];
