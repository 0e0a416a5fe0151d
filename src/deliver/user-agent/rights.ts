/** From root to a user, for good. */
import { readFileSync } from 'node:fs';
import type { SystemUser } from './types.ts';

interface Identity {
  getuid(): number;
  getgroups(): number[];
  initgroups(user: string, group: number): void;
  setgroups(groups: number[]): void;
  setgid(id: number): void;
  setuid(id: number): void;
}

/**
 * Gives up root's rights: supplementary groups (the user's own, or none but `group` when one is given), group, user; then looks whether that is so
 * and whether there is a way back. Throws when anything is not as it should be: the process must end then.
 * Without root's rights it only agrees to be who it is already.
 */
export function becomeSystemUser(user: SystemUser, group: number | null): void {
  const self = process as unknown as Identity;
  const gid = group ?? user.gid;
  if (user.uid === 0 || !Number.isInteger(user.uid) || !Number.isInteger(gid) || user.uid < 0 || gid < 0) throw new Error('root is never a target');
  if (self.getuid() !== 0) {
    if (self.getuid() !== user.uid) throw new Error('only root can become another user');
    return;
  }
  if (group === null) self.initgroups(user.name, gid);
  else self.setgroups([group]);
  self.setgid(gid);
  self.setuid(user.uid);
  const status = readFileSync('/proc/self/status', 'latin1');
  const ids = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim().split(/\s+/).join(' ') ?? '';
  // Real, effective, saved and file system ids: one that stayed would be the way back.
  if (ids('Uid') !== Array(4).fill(user.uid).join(' ') || ids('Gid') !== Array(4).fill(gid).join(' ')) throw new Error('the rights could not be given up');
  if (gid !== 0 && self.getgroups().includes(0)) throw new Error('the group root could not be given up');
  if (!/^0+$/.test(ids('CapEff')) || !/^0+$/.test(ids('CapPrm'))) throw new Error('capabilities could not be given up');
  let isBack = true;
  try {
    self.setuid(0);
  } catch {
    isBack = false;
  }
  if (isBack) throw new Error('root could be had again');
}
