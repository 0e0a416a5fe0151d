/** What travels between the courier's thread, the helper and its workers; see frame.ts for the framing. */
import type { StoreResult } from '../agents/result.ts';
import type { FolderAnswer, FolderRequest } from './folders/types.ts';
import type { FolderNews, WatchWish } from './folders/watch.ts';
import type { DeliveryAnswer, DeliveryTask, Forward, Keep, PasswordAnswer, Reply, SystemUser } from './types.ts';

export type Place = readonly [number, number] | null;

/** Client to helper. The first frame is `hello`; then one request after the other, each answered before the next. Body of `deliver`: the message. */
export type Request =
  | { readonly kind: 'hello'; readonly key: string }
  | { readonly kind: 'deliver'; readonly task: DeliveryTask }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'lookup'; readonly user: string }
  /** Of `folders/`; body: messages to be added. `mailbox`: the option local.mailbox. */
  | { readonly kind: 'folders'; readonly user: string; readonly mailbox: string; readonly request: FolderRequest }
  /** Answered by `changed`, again and again, until the connection is closed. Another one takes its place. */
  | { readonly kind: 'watch'; readonly user: string; readonly mailbox: string; readonly wish: WatchWish };

/** Helper to client. */
export type Response =
  | { readonly kind: 'delivered'; readonly answer: PackedAnswer }
  | { readonly kind: 'password'; readonly answer: PasswordAnswer }
  | { readonly kind: 'user'; readonly user: SystemUser | null | 'unavailable' }
  | { readonly kind: 'folders'; readonly answer: FolderAnswer }
  | { readonly kind: 'changed'; readonly news: FolderNews };

/** Helper to worker. Bodies: of `deliver` the message, of `spool` the bytes to append. `spooled` answers a worker's own request. */
export type WorkerOrder =
  | { readonly kind: 'become'; readonly user: SystemUser; readonly group: number | null }
  | { readonly kind: 'deliver'; readonly task: DeliveryTask; readonly isRestricted: boolean }
  | { readonly kind: 'spool'; readonly path: string }
  | { readonly kind: 'spooled'; readonly result: StoreResult }
  | { readonly kind: 'folders'; readonly mailbox: string; readonly request: FolderRequest }
  /** Instead of what was watched before; null: nothing. */
  | { readonly kind: 'watch'; readonly mailbox: string; readonly wish: WatchWish | null };

/** Worker to helper. */
export type WorkerNews =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'ended'; readonly pid: number }
  | { readonly kind: 'spool'; readonly path: string }
  | { readonly kind: 'spooled'; readonly result: StoreResult }
  | { readonly kind: 'delivered'; readonly answer: PackedAnswer }
  | { readonly kind: 'folders'; readonly answer: FolderAnswer }
  | { readonly kind: 'changed'; readonly news: FolderNews };

type Packed<T> = Omit<T, 'message'> & { readonly message: Place };
/** An answer whose messages stand in the frame's body. */
export type PackedAnswer = Omit<DeliveryAnswer, 'forwards' | 'keeps' | 'replies'> & {
  readonly forwards: readonly Packed<Forward>[];
  readonly keeps: readonly Packed<Keep>[];
  readonly replies: readonly Packed<Reply>[];
};
