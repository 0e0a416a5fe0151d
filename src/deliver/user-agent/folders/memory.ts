/** What a user's worker remembers between requests about folders; losing it costs time only. */
import { Clocks } from './clock.ts';
import { Listings } from './listings.ts';
import type { MaildirNames } from './maildir-listing.ts';
import { MboxMemory } from './mbox-memory.ts';

export class FolderMemory {
  readonly clocks: Clocks;
  readonly maildirs = new Listings<MaildirNames>();
  readonly mboxLists = new Listings<ReadonlyMap<string, string>>();
  readonly mboxes = new MboxMemory();

  /** Unix milliseconds. */
  constructor(now: () => number = Date.now) {
    this.clocks = new Clocks(now);
  }
}
