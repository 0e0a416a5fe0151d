/** The commands of one transaction, as text. Pure. */
import { encodeXtext } from '../../wire/smtp/xtext.ts';
import type { Job, JobRecipient } from '../agent.ts';
import type { Capabilities } from './capabilities.ts';

const DOT_ATOM = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.\u0080-\uffff]+$/;
const PATH_CHARS_MAX = 1000;

/** `local@domain` in brackets with its local part quoted where needed; null when it cannot be said in SMTP at all. */
export function path(address: string): string | null {
  const at = address.lastIndexOf('@');
  const local = at < 0 ? address : address.slice(0, at);
  const domain = at < 0 ? '' : address.slice(at);
  if (address.length > PATH_CHARS_MAX || local === '' || hasControl(address) || /[ <>\\]/.test(domain)) return null;
  if (DOT_ATOM.test(local) && !local.startsWith('.') && !local.endsWith('.') && !local.includes('..')) return `<${address}>`;
  if (local.length >= 2 && local.startsWith('"') && local.endsWith('"') && isQuotedContent(local.slice(1, -1))) return `<${address}>`;
  return `<"${local.replace(/["\\]/g, '\\$&')}"${domain}>`;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code === 127) return true;
  }
  return false;
}

/** Content of a quoted string whose quotes and backslashes are all escaped. */
function isQuotedContent(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') return false;
    if (text[i] === '\\' && ++i === text.length) return false;
  }
  return true;
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 126) return false;
  return true;
}

export interface MailOptions {
  readonly capabilities: Capabilities;
  /** The message goes out as it is (not converted), so its size and 8-bit content can be declared. */
  readonly isAsStored: boolean;
  readonly needsUtf8: boolean;
}

/** MAIL FROM with the parameters the server offers (RFC 1870, 6152, 6531, 3461); null when the sender cannot be written. */
export function mailCommand(job: Job, options: MailOptions): string | null {
  const { capabilities } = options;
  const reverse = job.sender === null ? '<>' : path(job.sender);
  if (reverse === null) return null;
  let command = `MAIL FROM:${reverse}`;
  if (capabilities.sizeMax !== null && options.isAsStored) command += ` SIZE=${job.size}`;
  if (job.has8bit && capabilities.eightBitMime && options.isAsStored) command += ' BODY=8BITMIME';
  if (options.needsUtf8) command += ' SMTPUTF8';
  if (capabilities.dsn) {
    if (job.ret === 'FULL' || job.ret === 'HDRS') command += ` RET=${job.ret}`;
    if (job.envid !== null && job.envid !== '' && job.envid.length <= 100) command += ` ENVID=${encodeXtext(job.envid)}`;
  }
  return `${command}\r\n`;
}

/** RCPT TO; null when the address cannot be written. */
export function rcptCommand(recipient: JobRecipient, capabilities: Capabilities): string | null {
  const forward = path(recipient.address);
  if (forward === null) return null;
  let command = `RCPT TO:${forward}`;
  if (capabilities.dsn) {
    const notify = notifyWords(recipient.notify);
    if (notify !== null) command += ` NOTIFY=${notify}`;
    const orcpt = orcptOf(recipient);
    if (orcpt !== null) command += ` ORCPT=${orcpt}`;
  }
  return `${command}\r\n`;
}

function notifyWords(notify: string | null): string | null {
  if (notify === null || notify === '') return null;
  const given = notify.toUpperCase();
  if (given.includes('NEVER')) return 'NEVER';
  const kept = ['SUCCESS', 'FAILURE', 'DELAY'].filter((word) => given.includes(word));
  return kept.length === 0 ? null : kept.join(',');
}

/** Passed on as given; without one, the address in use becomes the original one when reports are asked for (RFC 3461 section 5.2.1). */
function orcptOf(recipient: JobRecipient): string | null {
  if (recipient.orcpt !== null) {
    const semicolon = recipient.orcpt.indexOf(';');
    if (semicolon <= 0 || recipient.orcpt.length > 500 || !/^[A-Za-z0-9-]+$/.test(recipient.orcpt.slice(0, semicolon))) return null;
    return `${recipient.orcpt.slice(0, semicolon)};${encodeXtext(recipient.orcpt.slice(semicolon + 1))}`;
  }
  return recipient.notify === null || !isAscii(recipient.address) ? null : `rfc822;${encodeXtext(recipient.address)}`;
}
