/** Where new messages go: the mailbox, and which of their flags may be kept there (RFC 4314 section 4). For APPEND and its kin, and for COPY. */
import { type KeptFlags, keptFlags, missing, noTarget } from './acl-check.ts';
import { findPlace, may, type Place } from './places.ts';
import type { ImapSession } from './session.ts';

export interface AppendPlace {
  /** `owner` is the account to store into, and whose quota counts. */
  readonly place: Place;
  /** Other flags are left out; the command does not fail for them. */
  readonly keeps: KeptFlags;
  /** RFC 4315 section 3: who may not open the mailbox is not told UIDs of it (APPENDUID, COPYUID). */
  readonly tellsUids: boolean;
}

/** The target, or the refusal: a tagged response without its tag. */
export function appendPlace(session: ImapSession, name: string): AppendPlace | string {
  const place = findPlace(session, name);
  if (place === null || !place.row.isSelectable) return noTarget(session, name);
  const refusal = missing(place, 'i');
  if (refusal !== null) return refusal;
  return { place, keeps: keptFlags(place), tellsUids: may(place, 'r') };
}
