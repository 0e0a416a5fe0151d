/** COMPRESS (RFC 4978), where the administrator offers it (`imap.compress`). */
import type { Cursor } from '../../wire/imap/cursor.ts';
import { has } from './capability.ts';
import type { ImapSession } from './session.ts';

/** SP algorithm, in upper case. */
export function compressArgument(cursor: Cursor): string {
  cursor.sp();
  const algorithm = cursor.word();
  cursor.end();
  return algorithm;
}

export function compress(session: ImapSession, algorithm: string, tag: string): string | Promise<null> {
  if (session.input.isCompressed) return 'BAD [COMPRESSIONACTIVE] DEFLATE is active already';
  if (!has(session, 'COMPRESS=DEFLATE')) return 'BAD COMPRESS is not offered';
  if (algorithm !== 'DEFLATE') return 'BAD Unknown compression';
  // Section 3: nothing may be sent before our answer. Was what came already meant to be compressed? Nobody could tell.
  if (session.input.hasEarly) return 'BAD Nothing may follow COMPRESS before its answer';
  return session.input.beginCompression(session.context.settings(), () => session.tagged(tag, 'OK DEFLATE is active', 'none')).then(() => null);
}
