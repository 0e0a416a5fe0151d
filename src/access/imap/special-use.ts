import type { Role } from '../../ports.ts';

/** Special-use attributes (RFC 6154 section 2) and the roles they are. */
export const SPECIAL_USE: ReadonlyMap<Role, string> = new Map<Role, string>([
  ['sent', '\\Sent'],
  ['drafts', '\\Drafts'],
  ['trash', '\\Trash'],
  ['junk', '\\Junk'],
  ['archive', '\\Archive'],
]);
