/**
 * The capabilities: each stands here once, with when it is announced, where it is defined and which test proves it; the
 * capability line, ENABLE and docs/imap-extensions.md are made from this table.
 */
import { CAPABILITY_ROWS } from './capability-rows.ts';
import type { ImapSession } from './session.ts';

export interface Capability {
  readonly name: string;
  /** 'never': part of the table of extensions, but nothing a client is told by name. */
  readonly when: 'always' | 'beforeLogin' | 'afterLogin' | 'never';
  /** "RFC 7162", or the words for what has no RFC. */
  readonly rfc: string;
  /** What it gives, in a few words, for the table in docs/. */
  readonly what: string;
  /** The test file that proves it, from the root of the project. */
  readonly proof: string;
  /** A switch that must be on: the option's name. */
  readonly option?: string;
  /** A client switches it on with ENABLE. */
  readonly isEnabled?: boolean;
  /** Only on such connections. */
  readonly if?: (session: ImapSession) => boolean;
  /** What is announced instead of the bare name. */
  readonly show?: (session: ImapSession) => string;
}

const BY_NAME: ReadonlyMap<string, Capability> = new Map(CAPABILITY_ROWS.map((row) => [row.name.toUpperCase(), row]));

/** Is the extension to be had on this session: not hidden, and its condition met? `name` in any case. */
export function has(session: ImapSession, name: string): boolean {
  const capability = BY_NAME.get(name.toUpperCase());
  return capability !== undefined && !isHidden(session, capability) && (capability.if === undefined || capability.if(session));
}

function isHidden(session: ImapSession, capability: Capability): boolean {
  if (session.hidden.size === 0) return false;
  return session.hidden.has(capability.name.toUpperCase());
}

/** "CAPABILITY …", for the response and for response codes. */
export function capabilityLine(session: ImapSession): string {
  const phase = session.state === 'notAuthenticated' ? 'beforeLogin' : 'afterLogin';
  let text = 'CAPABILITY';
  for (const capability of CAPABILITY_ROWS) {
    if (capability.when !== 'always' && capability.when !== phase) continue;
    if (isHidden(session, capability) || (capability.if !== undefined && !capability.if(session))) continue;
    text += ` ${capability.show === undefined ? capability.name : capability.show(session)}`;
  }
  return text;
}
