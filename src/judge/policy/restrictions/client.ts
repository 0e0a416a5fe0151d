/** Restrictions on the client: its address, its names, its certificate, its login. */
import { UNKNOWN_NAME } from '../client-name.ts';
import type { Restriction } from '../restriction.ts';
import { firstValue } from '../lookup.ts';
import { after, DUNNO, PERMIT, type Soon, type Status } from '../status.ts';
import type { Run } from '../run.ts';
import type { Table } from '../../../ports.ts';

export const CLIENT: readonly Restriction[] = [
  {
    names: ['permit_mynetworks'],
    doc: 'Permits clients of `smtp.relayFrom`.',
    build: (_argument, builder) => {
      const networks = builder.matchList('smtp.relayFrom', builder.config.mynetworks);
      return (run) => {
        const { memo, facts } = run;
        // Asked in every list of every message of a session, and always the same.
        if (memo.isInMynetworks !== null) return memo.isInMynetworks ? PERMIT : DUNNO;
        return run.consult(
          facts.client.ip,
          () => networks.network(facts.client.ip, run.aborts),
          (isIn) => {
            memo.isInMynetworks = isIn;
            return isIn ? PERMIT : DUNNO;
          },
        );
      };
    },
  },
  {
    names: ['permit_inet_interfaces'],
    doc: 'Permits clients on an address of this machine.',
    build: () => (run) => (run.context.isOwnAddress(run.facts.client.ip) ? PERMIT : DUNNO),
  },
  { names: ['permit_sasl_authenticated'], doc: 'Permits clients that signed in.', build: () => (run) => (run.facts.login === null ? DUNNO : PERMIT) },
  {
    names: ['permit_tls_all_clientcerts'],
    doc: 'Permits clients with a certificate of an authority that is trusted here; then those of relayClientCertificates.',
    build: (_argument, builder) => {
      const tables = builder.config.relayClientCertificates.map((spec) => builder.table(spec));
      return (run) => (run.facts.tls?.certificate?.isTrusted === true ? PERMIT : permitFingerprint(run, tables));
    },
  },
  {
    names: ['permit_tls_clientcerts'],
    doc: 'Permits clients whose certificate or public key has its fingerprint in relayClientCertificates.',
    build: (_argument, builder) => {
      const tables = builder.config.relayClientCertificates.map((spec) => builder.table(spec));
      return (run) => permitFingerprint(run, tables);
    },
  },
  {
    names: ['reject_unknown_client_hostname', 'reject_unknown_client'],
    doc: 'Refuses clients whose address has no name that leads back to it.',
    build: () => (run) =>
      after(run.names(), ({ nameStatus }) =>
        nameStatus === 'ok'
          ? DUNNO
          : run.refuse(
              nameStatus === 'none' ? run.codes.unknownClientReject : 450,
              '4.7.25',
              `Client host rejected: cannot find your hostname, [${run.facts.client.ip}]`,
            ),
      ),
  },
  {
    names: ['reject_unknown_reverse_client_hostname'],
    doc: 'Refuses clients whose address has no name.',
    build: () => (run) =>
      after(run.names(), ({ reverseStatus }) =>
        reverseStatus === 'ok'
          ? DUNNO
          : run.refuse(
              reverseStatus === 'none' ? run.codes.unknownClientReject : 450,
              '4.7.1',
              `Client host rejected: cannot find your reverse hostname, [${run.facts.client.ip}]`,
            ),
      ),
  },
  {
    names: ['reject_unknown_forward_client_hostname'],
    doc: 'Refuses clients whose name has no address at all.',
    build: () => (run) =>
      after(run.names(), ({ forwardStatus }) =>
        forwardStatus === 'ok'
          ? DUNNO
          : run.refuse(
              forwardStatus === 'none' ? run.codes.unknownClientReject : 450,
              '4.7.1',
              `Client host rejected: cannot find your forward hostname, [${run.facts.client.ip}]`,
            ),
      ),
  },
];

function permitFingerprint(run: Run, tables: readonly Table[]): Soon<Status> {
  const certificate = run.facts.tls?.certificate ?? null;
  if (certificate === null || tables.length === 0) return DUNNO;
  const name = certificate.subject === '' ? UNKNOWN_NAME : certificate.subject;
  return run.consult(
    name,
    () => firstValue(tables, [certificate.fingerprint, certificate.publicKeyFingerprint], run.signal),
    (found) => (found === null ? DUNNO : PERMIT),
  );
}
