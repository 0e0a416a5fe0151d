/** Restrictions on the name that the client gave with HELO or EHLO. */
import { isHostAddress, isHostName, literalAddress, withoutFinalDot } from '../hostname.ts';
import { lookup4, lookup6, lookupMx } from '../names.ts';
import type { Restriction } from '../restriction.ts';
import type { Run } from '../run.ts';
import { after, DUNNO, type Soon, type Status } from '../status.ts';
import { SUBJECT } from '../words.ts';

/** Address literals are looked at as such by all three; `otherwise` is for names. */
function forNames(otherwise: (run: Run, helo: string) => Soon<Status>): (run: Run) => Soon<Status> {
  return (run) => {
    const { helo } = run.facts;
    if (helo === null) return DUNNO;
    if (!helo.startsWith('[')) return otherwise(run, helo);
    const inner = helo.length > 2 && helo.endsWith(']') ? helo.slice(1, -1) : helo;
    return literalAddress(inner) === null ? run.reject(run.codes.invalidHostnameReject, '5.5.2', helo, SUBJECT.helo, 'invalid ip address') : DUNNO;
  };
}

export const HELO: readonly Restriction[] = [
  {
    names: ['reject_invalid_helo_hostname', 'reject_invalid_hostname'],
    needs: 'helo',
    doc: 'Refuses HELO names that are neither host names nor addresses.',
    build: () =>
      forNames((run, helo) => {
        const name = withoutFinalDot(helo);
        return isHostName(name) || isHostAddress(name) ? DUNNO : run.reject(run.codes.invalidHostnameReject, '5.5.2', helo, SUBJECT.helo, 'Invalid name');
      }),
  },
  {
    names: ['reject_non_fqdn_helo_hostname', 'reject_non_fqdn_hostname'],
    needs: 'helo',
    doc: 'Refuses HELO names that are not fully qualified.',
    build: () =>
      forNames((run, helo) => {
        const name = withoutFinalDot(helo);
        return isHostName(name, run.facts.smtputf8) && name.includes('.')
          ? DUNNO
          : run.reject(run.codes.nonFqdnReject, '5.5.2', helo, SUBJECT.helo, 'need fully-qualified hostname');
      }),
  },
  {
    names: ['reject_unknown_helo_hostname', 'reject_unknown_hostname'],
    needs: 'helo',
    doc: 'Refuses HELO names without address and mail exchanger in the DNS.',
    build: (_argument, { config }) => forNames((run, helo) => rejectUnknownHelo(run, helo, config.unknownHeloTempfail)),
  },
];

function rejectUnknownHelo(run: Run, helo: string, tempfail: 'defer_if_permit' | 'defer'): Soon<Status> {
  const { dns } = run.context;
  const verdict = (exists: boolean, hasFailed: boolean): Soon<Status> => {
    if (exists) return DUNNO;
    return hasFailed
      ? run.tempfail(tempfail, 450, '4.7.1', helo, SUBJECT.helo, 'Host not found')
      : run.reject(run.codes.unknownHostnameReject, '4.7.1', helo, SUBJECT.helo, 'Host not found');
  };
  if (!isHostName(helo)) return verdict(false, false);
  return after(lookup4(dns, helo), (four) => {
    if (four.kind === 'found') return DUNNO;
    return after(lookup6(dns, helo), (six) => {
      if (six.kind === 'found') return DUNNO;
      return after(lookupMx(dns, helo), (mx) => verdict(mx.kind === 'found', four.kind === 'failed' || six.kind === 'failed' || mx.kind === 'failed'));
    });
  });
}
