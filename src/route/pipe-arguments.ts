/** The command line of a pipe transport for one delivery, as pipe(8) makes it. Pure. */
import { extensionAt } from '../directory/tables/search.ts';
import { formatAddress } from '../mail/address.ts';
import type { Address } from '../ports.ts';
import { PIPE_MACRO, type PipeTransport } from './named.ts';

export interface PipeRecipient {
  readonly address: Address;
  /** Before any rewriting or aliasing; null: the same. */
  readonly original: Address | null;
}

/** What the macros of pipe(8) stand for. Texts are '' where nothing is known. */
export interface PipeJob {
  readonly sender: Address | null;
  readonly recipients: readonly PipeRecipient[];
  readonly nexthop: string;
  readonly queueId: string;
  /** Bytes of the message. */
  readonly size: number;
  /** Characters that begin the extension of a local part (`directory.recipientDelimiters`). */
  readonly delimiters: string;
  readonly clientAddress?: string;
  readonly clientHelo?: string;
  readonly clientHostname?: string;
  readonly clientPort?: string;
  readonly clientProtocol?: string;
  readonly saslMethod?: string;
  readonly saslSender?: string;
  readonly saslUsername?: string;
}

/** Macros that stand for another text with each recipient: an argument with one of them is repeated for each. */
const PER_RECIPIENT = /\$(?:\{|\(|)(?:recipient|original_recipient|user|extension|mailbox|domain)(?![A-Za-z0-9_])/;

/** The words of the command line, the program first. A recipient whose $user is empty gets no argument from a word with $user. */
export function pipeArguments(transport: PipeTransport, job: PipeJob): string[] {
  const { flags } = transport;
  const fixed = fixedValues(transport, job);
  const words: string[] = [];
  const recipients = job.recipients.map((recipient) => recipientValues(recipient, flags, job.delimiters));
  for (const word of transport.argv) {
    if (!PER_RECIPIENT.test(word.replaceAll('$$', ''))) words.push(expand(word, (name) => fixed.get(name) ?? ''));
    else
      for (const values of recipients) {
        if (values.get('user') === '' && /\$(?:\{|\(|)user(?![A-Za-z0-9_])/.test(word)) continue;
        words.push(expand(word, (name) => values.get(name) ?? fixed.get(name) ?? ''));
      }
  }
  return words;
}

/**
 * Would an address (or another thing that a stranger chose) stand where the program reads its options? Postfix takes no address that begins
 * with "-" at all (allow_min_user); here only such a command line is not run.
 */
export function namesOption(transport: PipeTransport, job: PipeJob): boolean {
  for (const word of transport.argv)
    if (!word.startsWith('-') && word.includes('$') && pipeArguments({ ...transport, argv: [word] }, job).some((made) => made.startsWith('-'))) return true;
  return false;
}

function expand(word: string, value: (name: string) => string): string {
  if (!word.includes('$')) return word;
  return word.replaceAll(PIPE_MACRO, (_, braced?: string, parens?: string, plain?: string) => {
    const name = braced ?? parens ?? plain;
    // A NUL cannot stand in an argument.
    return name === undefined ? '$' : value(name).replaceAll('\0', '');
  });
}

function fixedValues(transport: PipeTransport, job: PipeJob): Map<string, string> {
  const isQuoted = transport.flags.includes('q');
  const { nullSender } = transport;
  const sender = job.sender === null ? (isQuoted && nullSender !== '' ? quotedText(nullSender) : nullSender) : spelled(job.sender, isQuoted);
  return new Map([
    ['sender', sender],
    ['nexthop', transport.flags.includes('h') ? job.nexthop.toLowerCase() : job.nexthop],
    ['queue_id', job.queueId],
    ['size', String(job.size)],
    ['client_address', job.clientAddress ?? ''],
    ['client_helo', job.clientHelo ?? ''],
    ['client_hostname', job.clientHostname ?? ''],
    ['client_port', job.clientPort ?? ''],
    ['client_protocol', job.clientProtocol ?? ''],
    ['sasl_method', job.saslMethod ?? ''],
    ['sasl_sender', job.saslSender ?? ''],
    ['sasl_username', job.saslUsername ?? ''],
  ]);
}

function recipientValues({ address, original }: PipeRecipient, flags: string, delimiters: string): Map<string, string> {
  const folded = (one: Address): Address => ({
    local: flags.includes('u') ? one.local.toLowerCase() : one.local,
    domain: flags.includes('h') ? one.domain.toLowerCase() : one.domain,
  });
  const isQuoted = flags.includes('q');
  const own = folded(address);
  const at = extensionAt(own.local, delimiters);
  return new Map([
    ['recipient', spelled(own, isQuoted)],
    ['original_recipient', spelled(folded(original ?? address), isQuoted)],
    ['user', at === -1 ? own.local : own.local.slice(0, at)],
    ['extension', at === -1 ? '' : own.local.slice(at + 1)],
    ['mailbox', own.local],
    ['domain', own.domain],
  ]);
}

/** Quoted where it must be (RFC 5322), or as it is. */
function spelled(address: Address, isQuoted: boolean): string {
  if (isQuoted) return formatAddress(address);
  return address.domain === '' ? address.local : `${address.local}@${address.domain}`;
}

function quotedText(text: string): string {
  const at = text.lastIndexOf('@');
  return formatAddress(at === -1 ? { local: text, domain: '' } : { local: text.slice(0, at), domain: text.slice(at + 1) });
}
