/** One request about a user's folders, answered in the user's worker. Never rejects: what goes wrong is part of the answer. */
import { join } from 'node:path';
import type { KernelLocks } from '../../agents/kernel-lock.ts';
import { errnoOf } from '../../agents/result.ts';
import type { SystemUser } from '../types.ts';
import { Maildir } from './maildir.ts';
import type { FolderMemory } from './memory.ts';
import { Mboxes } from './mboxes.ts';
import { type FolderAnswer, type FolderRequest, filesToBody } from './types.ts';

export interface FoldersPlace {
  readonly user: SystemUser;
  /** `local.mailbox`. */
  readonly mailbox: string;
  readonly kernelLocks: KernelLocks;
  readonly signal: AbortSignal;
  readonly memory: FolderMemory;
}

export interface Answered {
  readonly answer: FolderAnswer;
  readonly pieces: readonly Uint8Array[];
}

export async function answerFolders(request: FolderRequest, body: Uint8Array, place: FoldersPlace): Promise<Answered> {
  try {
    return await answer(request, body, foldersOf(place));
  } catch (error) {
    const errno = errnoOf(error);
    const reason = error instanceof FoldersBusy ? 'busy' : errno === 'ENOENT' ? 'away' : 'error';
    return { answer: { failed: errno === null ? String((error as Error).message) : `${errno}: ${(error as Error).message}`, reason }, pieces: [] };
  }
}

/** Another program holds the locks. */
export class FoldersBusy extends Error {}

export function foldersOf({ user, mailbox, kernelLocks, signal, memory }: FoldersPlace): Maildir | Mboxes {
  if (mailbox.endsWith('/') && !mailbox.startsWith('/')) return new Maildir(join(user.home, mailbox), memory);
  const inbox = mailbox.startsWith('/') ? join(mailbox, user.name) : join(user.home, mailbox);
  return new Mboxes({ inbox, folders: join(user.home, 'mail'), home: user.home, kernelLocks, signal, memory, busy: (text) => new FoldersBusy(text) });
}

async function answer(request: FolderRequest, body: Uint8Array, folders: Maildir | Mboxes): Promise<Answered> {
  switch (request.op) {
    case 'scan':
      return { answer: folders.scan(request.only), pieces: [] };
    case 'list': {
      const { answer: head, files } = await folders.list(request.path, request.since ?? null, request.names ?? []);
      return { answer: head, pieces: [filesToBody(files)] };
    }
    case 'read':
      return folders.read(request.path, request.files);
    case 'change':
      return { answer: await folders.change(request.path, request.changes), pieces: [] };
    case 'add':
      return { answer: await folders.add(request.path, request.messages, body), pieces: [] };
    case 'make':
      return { answer: folders.make(request.path), pieces: [] };
    case 'rename':
      return { answer: folders.rename(request.path, request.to), pieces: [] };
    case 'remove':
      return { answer: await folders.remove(request.path), pieces: [] };
    case 'move':
      return { answer: await folders.move(request.path, request.to, request.files), pieces: [] };
    case 'uids': {
      const uids = folders.uids(request.path);
      if (uids === null) return { answer: { op: 'uids', uids: null }, pieces: [] };
      const { uidValidity, uidNext, messages } = uids;
      return { answer: { op: 'uids', uids: { uidValidity, uidNext } }, pieces: [Buffer.from(messages.map(([uid, name]) => `${uid}\t${name}`).join('\n'))] };
    }
    case 'subscriptions':
      return { answer: folders.subscriptions(request.add, request.remove), pieces: [] };
    default:
      return { answer: { failed: 'an unknown request', reason: 'error' }, pieces: [] };
  }
}
