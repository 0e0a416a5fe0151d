/** What posthorn doctor looks at: one row a check. Every check is a function of an environment, so that tests can make any world. */
import { certificates, dkimKeys, domainRecords } from './doctor-domain.ts';
import { clock, disk, files, queue, store } from './doctor-machine.ts';
import { addressNames, blocklists, hostName, milters, openRelay, ports, server } from './doctor-network.ts';
import { type Check, type DoctorEnvironment, type Finding, type Level, unknown } from './doctor-types.ts';

export const CHECKS: readonly Check[] = [
  { name: 'server', run: server },
  { name: 'ports', run: ports },
  { name: 'host name', run: hostName },
  { name: 'addresses', run: addressNames },
  { name: 'certificates', run: certificates },
  { name: 'DNS', run: domainRecords },
  { name: 'DKIM keys', run: dkimKeys },
  { name: 'blocklists', run: blocklists },
  { name: 'open relay', run: openRelay },
  { name: 'queue', run: queue },
  { name: 'store', run: store },
  { name: 'disk', run: disk },
  { name: 'clock', run: clock },
  { name: 'files', run: files },
  { name: 'milters', run: milters },
];

/** Runs them one after the other; a check that fails itself is a finding, not the end. */
export async function runChecks(
  env: DoctorEnvironment,
  checks: readonly Check[] = CHECKS,
  onDone: (name: string, findings: readonly Finding[]) => void = () => {},
): Promise<Level> {
  let worst: Level = 'ok';
  for (const check of checks) {
    let findings: Finding[];
    try {
      findings = await check.run(env);
    } catch (error) {
      findings = [unknown(`could not be looked at: ${(error as Error).message}`)];
    }
    for (const { level } of findings) if (WEIGHT[level] > WEIGHT[worst]) worst = level;
    onDone(check.name, findings);
  }
  return worst;
}
const WEIGHT: Readonly<Record<Level, number>> = { ok: 0, unknown: 1, warn: 1, bad: 2 };
/** 0 all well, 1 something to look at, 2 something broken. */
export const exitCodeOf = (worst: Level): number => WEIGHT[worst];
