/** Checks of the domains and of the certificates that stand for them. */
import type { X509Certificate } from 'node:crypto';
import type { DkimKeyList } from '../judge/signing/admin.ts';
import { wantedRecords } from './dns-advice.ts';
import { checkRecords, isSerious } from './dns-check.ts';
import { dnsFacts } from './dns-facts.ts';
import { bad, type DoctorEnvironment, type Finding, or, unknown, warn } from './doctor-types.ts';

const DAY = 86_400_000;
const EXPIRY_WARN_DAYS = 14;

export function certificates(env: DoctorEnvironment): Finding[] {
  const all = env.certificates();
  const { hostname } = env.settings;
  if (all.length === 0)
    return [
      warn(
        'There is only the self-signed certificate that the server made.',
        'mail programs show a warning or refuse',
        `a certificate for ${hostname} from an authority (certbot certonly), then tls.certificate and tls.key`,
      ),
    ];
  const problems: Finding[] = [];
  for (const { file, chain, problem } of all) {
    if (problem !== null) {
      problems.push(bad(problem, 'TLS with this certificate is not possible', `mend ${file}, then posthorn reload`));
      continue;
    }
    const [leaf] = chain as [X509Certificate];
    const left = Math.floor((Date.parse(leaf.validTo) - env.now()) / DAY);
    if (left < 0)
      problems.push(
        bad(
          `The certificate ${file} has expired on ${new Date(leaf.validTo).toISOString().slice(0, 10)}.`,
          'mail programs refuse to connect',
          'renew it (certbot renew), then posthorn reload',
        ),
      );
    else if (left < EXPIRY_WARN_DAYS)
      problems.push(
        warn(`The certificate ${file} expires in ${left} days.`, 'mail programs will refuse to connect', 'renew it (certbot renew), then posthorn reload'),
      );
    if (Date.parse(leaf.validFrom) > env.now())
      problems.push(bad(`The certificate ${file} is valid only from ${leaf.validFrom}.`, 'mail programs refuse to connect', 'check the clock of this machine'));
    const broken = chain.findIndex((one, i) => i + 1 < chain.length && !one.checkIssued(chain[i + 1]!));
    const last = chain.at(-1)!;
    if (broken !== -1)
      problems.push(
        bad(
          `Certificate ${broken + 2} in ${file} did not issue the one before it.`,
          'some clients cannot verify it',
          'put the server’s own first, then each one that issued the one before (fullchain.pem)',
        ),
      );
    else if (leaf.subject === leaf.issuer && leaf.verify(leaf.publicKey))
      problems.push(
        warn(`The certificate ${file} is self-signed.`, 'mail programs show a warning or refuse', `a certificate for ${hostname} from an authority`),
      );
    else if (!env.isTrusted(last))
      problems.push(
        warn(
          `The chain in ${file} does not end at an authority that is known here.`,
          'clients that lack the certificate between cannot verify it',
          'use the file with the whole chain (fullchain.pem)',
        ),
      );
  }
  if (!all.some(({ chain }) => chain[0]?.checkHost(hostname) !== undefined))
    problems.push(bad(`No certificate is for ${hostname}.`, 'mail programs that connect to that name refuse', `a certificate that names ${hostname}`));
  return or(problems, `${all.length === 1 ? 'it is' : `${all.length} are`} valid for ${hostname}`);
}

export async function domainRecords(env: DoctorEnvironment): Promise<Finding[]> {
  const problems: Finding[] = [];
  for (const domain of env.domains) {
    const facts = { ...(await dnsFacts(domain, env.settings, env.baseDir, env.admin, env.dns)), addresses: env.addresses };
    // The host's own records and names have checks of their own.
    const records = wantedRecords(facts).filter(({ kind }) => kind !== 'host' && kind !== 'ptr');
    for (const finding of await checkRecords(records, facts, env.dns)) {
      const { record, state, advice, found } = finding;
      if (state === 'unknown') problems.push(unknown(`${record.type} ${record.name} ${advice}.`));
      else if (isSerious(finding))
        problems.push(
          bad(
            state === 'missing' ? `${record.type} ${record.name} is missing.` : `${record.type} ${record.name} is wrong (${found.join('; ').slice(0, 200)}).`,
            advice,
            record.zone.replace(/\s*\n\s*/g, ' '),
          ),
        );
      else if (state === 'missing' && record.need === 'should')
        problems.push(warn(`${record.type} ${record.name} is missing.`, advice, record.zone.replace(/\s*\n\s*/g, ' ')));
    }
  }
  return or(problems, `${env.domains.length === 1 ? `${env.domains[0]} has` : `${env.domains.length} domains have`} what is needed`);
}

export async function dkimKeys(env: DoctorEnvironment): Promise<Finding[]> {
  const { keys, problems }: DkimKeyList = await env.admin.call('dkim.list', {});
  const findings: Finding[] = problems.map((problem) => bad(`${problem}.`, 'mail is not signed with this key', 'mend the file, or remove it'));
  for (const key of keys)
    if ((key.mode & 0o077) !== 0)
      findings.push(
        bad(
          `The key ${key.file} can be read by other users.`,
          'they can sign mail in your name',
          `chmod 600 ${key.file}, and posthorn dkim rotate ${key.domain}`,
        ),
      );
  for (const domain of env.domains) {
    const active = keys.filter((key) => key.domain === domain && key.state === 'active');
    if (active.length === 0)
      findings.push(warn(`Mail of ${domain} is not signed.`, 'large receivers trust unsigned mail less', `posthorn dkim create ${domain}`));
    for (const key of active)
      if (key.algorithm === 'rsa' && key.bits < 2048)
        findings.push(
          warn(
            `The key ${key.selector} of ${domain} has only ${key.bits} bits.`,
            'some receivers count it as weak',
            `posthorn dkim rotate ${domain} --rsa-bits 2048`,
          ),
        );
  }
  return or(findings, `${keys.filter((key) => key.state === 'active').length} sign`);
}
