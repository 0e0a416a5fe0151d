/** Whose rights a task gets. Root is never a target. */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { notStored, type NotStored } from '../agents/result.ts';
import { realSpool, spoolDirectories } from './mailbox.ts';
import { groupId, type SystemUsers } from './system-users.ts';
import { type DeliveryAnswer, type DeliveryTask, type LocalConfiguration, simpleAnswer, type SystemUser } from './types.ts';

export interface TargetRules {
  readonly users: SystemUsers;
  readonly defaultUser: string;
  readonly uidMin: number;
  readonly usersAllowed: readonly string[];
  /** Of this process: without root's rights only itself can be served. */
  readonly ownUid: number;
}
/** `isRestricted`: nothing of the user's own is read or run. */
export interface Target {
  readonly user: SystemUser;
  readonly group: number | null;
  readonly isRestricted: boolean;
}
export type TargetAnswer = { readonly target: Target } | { readonly answer: DeliveryAnswer };

const deferred = (text: string): TargetAnswer => ({ answer: simpleAnswer('deferred', 451, '4.3.5', text) });

export async function targetOf(task: DeliveryTask, rules: TargetRules): Promise<TargetAnswer> {
  const { work } = task;
  const name = work.kind === 'pipe' || work.kind === 'user' ? work.user : (work.user ?? rules.defaultUser);
  let user: SystemUser | null;
  try {
    user = await rules.users.find(name);
  } catch (error) {
    return { answer: simpleAnswer('deferred', 451, '4.3.0', (error as Error).message) };
  }
  if (user === null) {
    if (work.kind === 'user') return { answer: simpleAnswer('failed', 550, '5.1.1', `there is no system user "${name}"`) };
    return deferred(`there is no system user "${name}" to run programs and write files as`);
  }
  let isRestricted = false;
  let group: number | null = null;
  if (work.kind === 'pipe') {
    if (user.uid === 0) return deferred(`the transport ${work.name} may not run as root`);
    if (work.group !== null) group = groupId(work.group);
    if (work.group !== null && (group === null || group === 0)) return deferred(`the transport ${work.name} cannot have the group "${work.group}"`);
    if (work.group === null && user.gid === 0) return deferred(`the transport ${work.name} may not have the group root`);
  } else if (user.uid === 0) {
    const other = await rules.users.find(rules.defaultUser).catch(() => null);
    if (other === null || other.uid === 0) return deferred(`mail of root needs the user "${rules.defaultUser}" (local.defaultUser), who is not there`);
    user = other;
    isRestricted = work.kind === 'user';
  } else if (work.kind === 'user' && user.uid < rules.uidMin && !rules.usersAllowed.includes(user.name)) isRestricted = true;
  if (rules.ownUid !== 0 && rules.ownUid !== user.uid)
    return deferred(`the server was not started as root and delivers only as the user it runs as, not as "${user.name}"`);
  return { target: { user, group, isRestricted } };
}

/** Whose folders may be looked at: a user's own, not a system account's. A sentence where they may not. */
export async function folderUser(name: string, rules: TargetRules): Promise<SystemUser | string> {
  const user = await rules.users.find(name);
  if (user === null) return `there is no system user "${name}"`;
  if (user.uid === 0 || (user.uid < rules.uidMin && !rules.usersAllowed.includes(user.name))) return `nothing of the system account "${name}" is read`;
  if (rules.ownUid !== 0 && rules.ownUid !== user.uid) return `the server was not started as root and reads no files of "${name}"`;
  return user;
}

/** The group in which a user's file of the mail spool is written; a refusal where the path is not the user's own file there. */
export function spoolTarget(
  task: { readonly configuration: Pick<LocalConfiguration, 'mailbox'> },
  user: SystemUser,
  path: string,
): { readonly group: number; readonly path: string } | NotStored {
  const directory = spoolDirectories(task.configuration).find((one) => path === join(one, user.name));
  if (directory === undefined) return notStored(550, '5.7.0', `${path} is not the mailbox of ${user.name}`);
  const real = realSpool(directory);
  const stat = statSync(real, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isDirectory()) return notStored(451, '4.3.5', `there is no mail spool ${directory}`);
  if ((stat.mode & 0o020) === 0 || stat.gid === 0)
    return notStored(451, '4.3.5', `the mail spool ${dirname(path)} must be writable for a group such as "mail"`);
  return { group: stat.gid, path: join(real, user.name) };
}
