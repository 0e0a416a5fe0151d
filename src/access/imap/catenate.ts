/** Parts of a new message that are on the server already (CATENATE, RFC 4469): copied from there as they are, piece by piece. */
import type { MessageWriter } from '../../ports.ts';
import { parseImapUrl } from '../../wire/imap/url.ts';
import { has } from './capability.ts';
import { pause, SliceClock } from './pace.ts';
import type { ImapSession } from './session.ts';
import { openUrl, urlPart, urlPlace } from './urls.ts';

/**
 * Appends what the URL names to the message in `writer`, which may not grow beyond `bytesMax`. The answer is a refusal (a tagged response
 * without its tag), or null. Rejects with Failure of the store.
 */
export async function appendUrl(session: ImapSession, writer: MessageWriter, text: string, bytesMax: number): Promise<string | null> {
  const url = parseImapUrl(text);
  // Section 3: relative ones alone; what others could fetch with a token, their owner can name without.
  if (url === null || url.server !== null || url.auth !== null) return badUrl(text);
  if (url.partial !== null && !has(session, 'URL-PARTIAL')) return badUrl(text);
  const place = urlPlace(session, session.account, url, session.selected?.name ?? '');
  const opened = place === null ? null : openUrl(session, place, url);
  if (opened === null) return badUrl(text);
  const { message } = opened;
  try {
    const part = await urlPart(message, url);
    if (part === null) return badUrl(text);
    if (writer.size + part.size > bytesMax) return 'NO [TOOBIG] Message is larger than APPENDLIMIT';
    const clock = new SliceClock();
    for await (const piece of part.pieces()) {
      if (session.isClosed) return 'NO Connection is closed';
      const written = writer.write(piece);
      if (written instanceof Promise) await written;
      if (clock.isOver()) await pause(clock);
    }
    return null;
  } finally {
    message.close();
  }
}

/** The URL as the client sent it, with what a response code cannot hold percent-encoded. */
function badUrl(text: string): string {
  const shown = text.slice(0, 500).replace(/[^\x20-\x5c\x5e-\x7e]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
  return `NO [BADURL ${shown}] No message or part is there`;
}
