/** ESMTP parameters (RFC 5321 section 4.1.2): what follows the path in MAIL and RCPT, and the attributes of XCLIENT and XFORWARD. */
import { LIMITS } from './limits.ts';

const SPACE = 32;

/**
 * `esmtp-param *(SP esmtp-param)` from `at` on. Keywords are letters, digits and hyphens; values have no blank, no `=` and no control
 * character. A keyword given twice is malformed (two SIZE or AUTH values would mean different things to different readers).
 */
export function parseParameters(text: string, at: number): Map<string, string> | null {
  const parameters = new Map<string, string>();
  let start = at;
  while (start < text.length) {
    if (text.charCodeAt(start) === SPACE) {
      start += 1;
      continue;
    }
    let end = text.indexOf(' ', start);
    if (end === -1) end = text.length;
    let equals = text.indexOf('=', start);
    if (equals === -1 || equals > end) equals = end;
    const keyword = text.slice(start, equals).toUpperCase();
    const value = equals === end ? '' : text.slice(equals + 1, end);
    if (!isKeyword(keyword) || !isValue(value) || (equals < end && value === '')) return null;
    if (parameters.has(keyword) || parameters.size === LIMITS.parametersMax) return null;
    parameters.set(keyword, value);
    start = end;
  }
  return parameters;
}

function isKeyword(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    const isAlphanumeric = (code >= 65 && code <= 90) || (code >= 48 && code <= 57);
    if (!isAlphanumeric && (code !== 45 || i === 0)) return false;
  }
  return text.length > 0;
}

function isValue(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code <= SPACE || code === 61 || code === 127) return false;
  }
  return true;
}
