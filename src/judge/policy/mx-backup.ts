/** permit_mx_backup: this host is among the mail exchangers of the recipient's domain, and not among the best. */
import type { Mx } from '../../net/dns.ts';
import type { MatchList } from '../../directory/tables/match-list.ts';
import type { Address } from '../../ports.ts';
import { isHostName } from './hostname.ts';
import { POLICY_LIMITS } from './limits.ts';
import { lookup4, lookup6, lookupMx } from './names.ts';
import type { Run } from './run.ts';
import { DUNNO, PERMIT, type Soon, type Status } from './status.ts';
import { SUBJECT } from './words.ts';

export function permitMxBackup(run: Run, address: Address, text: string, networks: MatchList): Soon<Status> {
  if (address.domain.startsWith('[') || !isHostName(address.domain)) return DUNNO;
  return decide(run, address.domain, text, networks);
}

async function decide(run: Run, domain: string, text: string, networks: MatchList): Promise<Status> {
  const answer = await lookupMx(run.dns, domain);
  if (answer.kind === 'failed') {
    return run.deferRejection(450, '4.4.4', text, SUBJECT.recipient, `Unable to look up mail exchanger information: ${answer.reason}`);
  }
  if (answer.kind === 'none') return DUNNO;
  const exchangers = [...answer.records].sort((a, b) => a.preference - b.preference).slice(0, POLICY_LIMITS.serversChecked);
  const best = exchangers.filter(({ preference }) => preference === exchangers[0]!.preference);
  if (await areWeAmong(run, best, text)) return DUNNO;
  if (!(await areWeAmong(run, exchangers.slice(best.length), text))) return DUNNO;
  if (networks.isEmpty) return PERMIT;
  for (const { exchange } of best) {
    const addresses = await addressesOf(run, exchange);
    if (typeof addresses === 'string') {
      await run.deferRejection(450, '4.4.4', text, SUBJECT.recipient, `Unable to look up host ${exchange} as mail exchanger: ${addresses}`);
      return DUNNO;
    }
    for (const ip of addresses) if (!(await networks.network(ip, run.signal))) return DUNNO;
  }
  return PERMIT;
}

async function areWeAmong(run: Run, exchangers: readonly Mx[], text: string): Promise<boolean> {
  if (exchangers.some(({ exchange }) => run.context.isOwnName(exchange))) return true;
  for (const { exchange } of exchangers) {
    const addresses = await addressesOf(run, exchange);
    if (typeof addresses === 'string') {
      await run.deferRejection(450, '4.4.4', text, SUBJECT.recipient, `Unable to look up mail exchanger host ${exchange}: ${addresses}`);
    } else if (addresses.some((ip) => run.context.isOwnAddress(ip))) return true;
  }
  return false;
}

/** The addresses of a host, or why there are none to be had. */
async function addressesOf(run: Run, host: string): Promise<string[] | string> {
  const answers = await Promise.all([lookup4(run.dns, host), lookup6(run.dns, host)]);
  const found = answers.flatMap((answer) => (answer.kind === 'found' ? answer.records : [])).slice(0, POLICY_LIMITS.serverAddressesChecked);
  if (found.length > 0) return found;
  for (const answer of answers) if (answer.kind === 'failed') return answer.reason;
  return 'Host not found';
}
