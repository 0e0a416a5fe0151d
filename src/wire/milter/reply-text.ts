/** The text of SMFIR_REPLYCODE: "550 5.7.1 text" in one line or several. */
import type { Reply } from '../../ports.ts';
import { enhancedLength } from '../smtp/reply.ts';

/**
 * The reply that a milter asked for; null when it is none that may be given (only 4xx and 5xx are).
 * A per cent sign is written twice, because Sendmail takes the text for a format. Lines in `text` are lines of the reply.
 */
export function parseReplyText(raw: string): Reply | null {
  const lines = raw.split(/\r?\n/).filter((line) => line !== '');
  const match = /^([45]\d\d)(?:[ -]|$)/.exec(lines[0] ?? '');
  if (match === null) return null;
  const code = Number(match[1]);
  let enhanced = '';
  const texts: string[] = [];
  for (const [index, line] of lines.entries()) {
    // A line that does not repeat the code is text as a whole.
    const rest = line.startsWith(match[1]!) ? line.slice(4) : line;
    const length = enhancedLength(rest, code);
    if (index === 0 && length > 0) enhanced = rest.slice(0, length);
    texts.push(length > 0 ? rest.slice(length + 1) : rest);
  }
  const text = Buffer.from(texts.join('\n').replaceAll('%%', '%'), 'latin1').toString('utf8');
  return { code, enhanced: enhanced === '' ? (code < 500 ? '4.7.1' : '5.7.1') : enhanced, text: text.trim() === '' ? 'Command rejected' : text };
}

/** A reply as such a text. Each line repeats code and enhanced code, as smfi_setmlreply does. */
export function formatReplyText(reply: Reply): string {
  const prefix = reply.enhanced === '' ? '' : `${reply.enhanced} `;
  const lines = reply.text.split(/\r?\n/);
  const out = lines.map((line, index) => `${reply.code}${index === lines.length - 1 ? ' ' : '-'}${prefix}${line.replaceAll('%', '%%')}`);
  return Buffer.from(out.join('\r\n'), 'utf8').toString('latin1');
}
