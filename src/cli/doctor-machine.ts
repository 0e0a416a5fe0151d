/** Checks of what the server keeps and of the machine under it. */
import type { QueueList } from '../queue/admin.ts';
import { bad, type DoctorEnvironment, type Finding, ok, or, unknown, warn } from './doctor-types.ts';
import { humanSpan } from './table.ts';

export async function queue(env: DoctorEnvironment): Promise<Finding[]> {
  const list: QueueList = await env.admin.call('queue.list', { limit: 1 });
  const oldest = list.entries[0];
  if (oldest === undefined) return [ok('nothing waits')];
  const age = env.now() - oldest.createdAt;
  const most = env.settings['doctor.queueAgeMax'] ?? 4 * 3_600_000;
  if (age <= most) return [ok(`${list.total} wait, the oldest for ${humanSpan(age)}`)];
  const { total }: QueueList = await env.admin.call('queue.list', { limit: 0, olderThanMs: most });
  const reply = oldest.recipients.find((recipient) => recipient.lastReply !== null);
  const why = reply === undefined ? (oldest.isHeld ? 'it is held' : 'it was not tried yet') : `${reply.lastHost ?? 'the other side'} said: ${reply.lastReply}`;
  return [
    warn(
      `${total} messages have waited longer than ${humanSpan(most)}, the oldest for ${humanSpan(age)} (${why}).`,
      'their senders are still waiting',
      `posthorn queue show ${oldest.id}`,
    ),
  ];
}

export async function store(env: DoctorEnvironment): Promise<Finding[]> {
  if (!env.isFull) return [ok('not read (--full reads every message)')];
  const result: { problems: readonly string[]; messages: number; isRepairable: boolean } = await env.admin.call('store.check', {});
  return or(
    result.problems
      .slice(0, 20)
      .map((problem) =>
        bad(
          `${problem}.`,
          'this mail cannot be read, or is counted wrongly',
          result.isRepairable ? 'posthorn store check --repair' : 'restore it from the backup (posthorn restore)',
        ),
      ),
    `${result.messages} messages are sound`,
  );
}

export function disk(env: DoctorEnvironment): Finding[] {
  const least = env.settings['doctor.diskFreeMin'] ?? 10;
  const space = env.space(env.settings.dataDir);
  if (space === null) return [unknown(`The disk of ${env.settings.dataDir} cannot be measured.`)];
  const problems: Finding[] = [];
  const level = (percent: number) => (percent < least / 3 ? bad : warn);
  if (space.freePercent < least)
    problems.push(
      level(space.freePercent)(
        `Only ${Math.floor(space.freePercent)} % of the disk with ${env.settings.dataDir} is free.`,
        'the server stops taking mail before it is full',
        'make room, or move dataDir to a larger disk',
      ),
    );
  if (space.freeInodesPercent < least)
    problems.push(
      level(space.freeInodesPercent)(
        `Only ${Math.floor(space.freeInodesPercent)} % of the inodes of that disk are free.`,
        'no new files can be made although there is room',
        'delete many small files (df -i shows where)',
      ),
    );
  return or(problems, `${Math.floor(space.freePercent)} % free`);
}

export async function clock(env: DoctorEnvironment): Promise<Finding[]> {
  const newest = ['store.db', 'store.db-wal', 'journey.db']
    .map((name) => env.file(`${env.settings.dataDir}/${name}`)?.changedAt ?? 0)
    .reduce((a, b) => Math.max(a, b), 0);
  const ahead = newest - env.now();
  if (ahead > 60_000)
    return [
      bad(
        `The clock is ${humanSpan(ahead)} behind: files of this server are from the future.`,
        'signatures, certificates and retries go wrong',
        'timedatectl set-ntp true',
      ),
    ];
  const isSynchronised = await env.clockIsSynchronised();
  if (isSynchronised === false)
    return [
      warn(
        'The clock does not follow a time server.',
        'signatures and certificates fail once it is minutes off',
        'timedatectl set-ntp true, or install chrony',
      ),
    ];
  return [isSynchronised === null ? ok('goes forward; nobody here says whether it follows a time server') : ok('follows a time server')];
}

/** Files of a configuration that may hold passwords: Postfix's lookup tables for servers. */
const TABLE_FILE = /\b(?:mysql|pgsql|ldap|memcache):(\/[^\s"',\]]+)/g;

export function files(env: DoctorEnvironment): Finding[] {
  const problems: Finding[] = [];
  const isOpen = (path: string): boolean => ((env.file(path)?.mode ?? 0) & 0o044) !== 0;
  const text = env.configFile === null ? null : env.text(env.configFile);
  const secretLine = text === null ? null : (/^\s*[\w.]*(?:password|secret)\w*\s*=\s*"[^"]+"/im.exec(text)?.[0] ?? null);
  // A path to a file with the password is no secret itself.
  if (env.configFile !== null && secretLine !== null && !/File\s*=/.test(secretLine) && isOpen(env.configFile))
    problems.push(
      bad(
        `${env.configFile} holds a password and can be read by other users.`,
        'they can read it',
        `chmod 600 ${env.configFile}, or put the password into a file of its own`,
      ),
    );
  const own = [env.settings['deliver.relayPasswordFile'], env.settings['oauth.clientSecretFile']];
  const secrets = [...own, ...[...(text ?? '').matchAll(TABLE_FILE)].map((match) => match[1]!)];
  for (const path of new Set(secrets)) {
    if (path === '') continue;
    if (env.file(path) === null)
      problems.push(bad(`${path} is named in the configuration but is not there.`, 'what needs it fails', `make it, or take it out of the configuration`));
    else if (isOpen(path) && (own.includes(path) || /^\s*(?:password|bind_pw)\s*=\s*\S/im.test(env.text(path) ?? '')))
      problems.push(bad(`${path} holds a password and can be read by other users.`, 'they can read it', `chmod 640 ${path}`));
  }
  for (const entry of [env.settings['tls.key'], ...env.settings['tls.certificates'].map((pair) => pair.trim().split(/\s+/)[1] ?? '')])
    if (entry !== '' && ((env.file(entry)?.mode ?? 0) & 0o004) !== 0)
      problems.push(
        bad(
          `The private key ${entry} can be read by all users.`,
          'they can pretend to be this server',
          `chmod 600 ${entry}, and renew the certificate with a new key`,
        ),
      );
  if (((env.file(env.settings.dataDir)?.mode ?? 0) & 0o022) !== 0)
    problems.push(bad(`Others may write into ${env.settings.dataDir}.`, 'they can change mail', `chmod 711 ${env.settings.dataDir}`));
  if (env.isRoot && env.settings.user === '')
    problems.push(
      warn(
        'The server keeps the rights of root.',
        'a mistake in it would open the whole machine',
        'user = "posthorn" in the configuration (a system user of its own)',
      ),
    );
  return or(problems, 'secrets are closed to others');
}
