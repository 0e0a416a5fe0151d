/** One server's side of the conversations of names-differential.test.ts, and what of its answers is compared. */
import { LineClient } from '../harness/line-client.ts';

export const PASSWORD = 'a-long-password';

/** A user of its own at both servers, and what its connections say in this order; see `say()`. */
export interface Script {
  readonly user: string;
  readonly lines: readonly string[];
}

export class Side {
  readonly #clients = new Map<string, LineClient>();
  readonly #host: string;
  readonly #port: number;
  readonly #login: string;
  #count = 0;

  constructor(host: string, port: number, login: string) {
    this.#host = host;
    this.#port = port;
    this.#login = login;
  }

  /**
   * - "a: TEXT" says TEXT with a tag on connection a and reads up to its tagged response; connections are logged in, unless their name
   *   begins with n. What follows a synchronising literal is sent without waiting.
   * - "a> BYTES" sends the bytes as they are, and NOOP behind them: everything up to the answer to that is compared, tags too.
   */
  async say(line: string): Promise<string> {
    const [, name, kind, text] = /^(\w+)([:>]) ?(.*)$/s.exec(line)!;
    const client = await this.#client(name!);
    this.#count += 1;
    const tag = `t${this.#count}`;
    client.send(kind === ':' ? `${tag} ${text!}\r\n` : `${text!}${tag} NOOP\r\n`);
    const lines: string[] = [];
    for (;;) {
      const heard = await whole(client);
      if (heard === null) {
        this.#clients.delete(name!);
        lines.push('(closed)');
        break;
      }
      const isEnd = heard.startsWith(`${tag} `);
      if (!isEnd) lines.push(heard);
      else if (kind === ':') lines.push(heard.slice(tag.length + 1));
      if (isEnd) break;
    }
    return comparable(lines, text!);
  }

  async #client(name: string): Promise<LineClient> {
    let client = this.#clients.get(name);
    if (client !== undefined) return client;
    client = await LineClient.open(this.#port, { host: this.#host });
    await client.expect(/^\* OK/);
    if (!name.startsWith('n')) {
      client.send(`login LOGIN ${this.#login} ${PASSWORD}\r\n`);
      for (let answer = ''; !answer.startsWith('login OK'); ) answer = await client.expect(/^(\* |login OK)/);
    }
    this.#clients.set(name, client);
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}

/** A response with its literals, or null at the end of the connection. */
async function whole(client: LineClient): Promise<string | null> {
  let text = '';
  for (;;) {
    const line = await client.line();
    if (line === null) return null;
    text += line;
    const literal = /\{(\d+)\}$/.exec(line);
    if (literal === null) return text;
    text += `\n${await client.bytes(Number(literal[1]))}`;
  }
}

/** Responses that say nothing here: how many are recent, and what each server thinks of mod-sequences. */
const PASSED_OVER = /^\* (\d+ RECENT|OK \[(HIGHESTMODSEQ|UNSEEN|MAILBOXID|NOMODSEQ|URLMECH) ?[^\]]*\])/;

/**
 * The lines of one answer, joined by " | ". LIST, LSUB, XLIST and STATUS responses are in alphabetical order, and messages that went stand
 * together under the numbers that they had at first: both orders are free.
 */
function comparable(lines: readonly string[], command: string): string {
  const isExtended = /^LIST (\(|\S+ \(|.*RETURN)/i.test(command);
  const withoutChildren = isExtended && !/CHILDREN/i.test(command);
  const withoutUses = isExtended && !/SPECIAL-USE/i.test(command);
  const kept: string[] = [];
  let gone: number[] | null = null;
  for (const line of lines) {
    if (PASSED_OVER.test(line)) continue;
    const expunge = /^\* (\d+) EXPUNGE$/.exec(line);
    if (expunge === null) {
      gone = null;
      let text = comparableLine(line);
      // An extended LIST that does not ask for them may leave them out (RFC 5258 section 4, RFC 6154 section 3), which Dovecot does.
      if (withoutChildren) text = text.replace(/\\Has(No)?Children ?/, '');
      if (withoutUses) text = text.replace(/\\(Archive|Drafts|Junk|Sent|Trash) ?/, '');
      kept.push(text.replace(' )', ')').replace('(CHILDINFO ', '("CHILDINFO" '));
      continue;
    }
    if (gone === null) {
      gone = [];
      kept.push('');
    }
    gone.push(originalNumber(gone, Number(expunge[1])));
    kept[kept.length - 1] = `${[...gone].sort((a, b) => a - b).join(',')} EXPUNGE`;
  }
  const isOfList = (line: string): boolean => /^(LIST|LSUB|XLIST|STATUS) /.test(line);
  const listed = kept.filter(isOfList).sort();
  return kept.map((line) => (isOfList(line) ? listed.shift()! : line)).join(' | ');
}

/** What number had a message that is now number `n`, before those of `gone` went? */
function originalNumber(gone: readonly number[], n: number): number {
  let original = n;
  for (const before of [...gone].sort((a, b) => a - b)) if (before <= original) original += 1;
  return original;
}

/** Response codes whose arguments are compared; of those of NO and BAD the name is. */
const TOLD_CODES = /^(READ-ONLY|READ-WRITE|CLOSED|COPYUID|APPENDUID|MODIFIED|UIDNEXT|UIDVALIDITY|PERMANENTFLAGS|BADCHARSET|UIDNOTSTICKY)/;

function comparableLine(line: string): string {
  if (line.startsWith('+')) return '+';
  const text = line.startsWith('* ') ? line.slice(2) : line;
  const status = /^(?:([^ ]+) )?(OK|NO|BAD|BYE|PREAUTH)(?: \[([^\]]*)\])?( .*)?$/s.exec(text);
  if (status !== null) {
    const [, tag, condition, code] = status;
    const start = line.startsWith('* ') ? `* ${condition}` : tag === undefined ? condition! : `${tag} ${condition}`;
    return code === undefined || (condition === 'OK' && !TOLD_CODES.test(code)) ? start : `${start} [${comparableCode(code)}]`;
  }
  const list = /^(LIST|LSUB|XLIST) \(([^)]*)\) (?:"(.)"|NIL) (.*)$/s.exec(text);
  if (list !== null) {
    const [, word, attributes, , rest] = list;
    const kept = attributes!
      .split(' ')
      // \NonExistent implies \Noselect (RFC 5258 section 3); RFC 6154 puts the uses of mailboxes into LIST, Dovecot into LSUB too.
      .map((attribute) => (attribute === '\\NonExistent' ? '\\Noselect' : attribute))
      .filter((attribute, i, all) => all.indexOf(attribute) === i && !/^\\(Un)?Marked$/i.test(attribute))
      .filter((attribute) => word !== 'LSUB' || /^\\Noselect$/i.test(attribute));
    return `${word} (${kept.sort().join(' ')}) ${plainName(rest!)}`;
  }
  const found = /^STATUS (.*) \(([^()]*)\)$/s.exec(text);
  if (found !== null) return `STATUS ${plainName(found[1]!)} (${pairs(found[2]!)})`;
  const flags = /^(FLAGS) \((.*)\)$/.exec(text);
  if (flags !== null) return `FLAGS (${sortedFlags(flags[2]!)})`;
  if (/^(CAPABILITY|ID|NAMESPACE) /.test(text)) return text.slice(0, text.indexOf(' '));
  return text
    .replace(/ ?\\Recent/g, '')
    .replace('{0}\n', '""')
    .replace(/FLAGS \(([^)]*)\)/g, (_, set: string) => `FLAGS (${sortedFlags(set)})`)
    .replace(/^(\d+ FETCH) \((FLAGS \([^)]*\)) UID (\d+)\)$/, '$1 (UID $3 $2)');
}

function comparableCode(code: string): string {
  const copied = /^COPYUID \d+ (\S+) \S+$/.exec(code);
  if (copied !== null) return `COPYUID ${copied[1]}`;
  if (/^(APPENDUID|UIDVALIDITY) /.test(code)) return code.replace(/ .*/, '');
  const permanent = /^PERMANENTFLAGS \((.*)\)$/.exec(code);
  if (permanent !== null) return `PERMANENTFLAGS (${sortedFlags(permanent[1]!)})`;
  return /^BADCHARSET/.test(code) ? 'BADCHARSET' : code;
}

function sortedFlags(flags: string): string {
  return flags
    .split(' ')
    .filter((flag) => flag !== '' && flag !== '\\Recent')
    .sort()
    .join(' ');
}

/** UIDVALIDITY and mod-sequences are each server's own. */
function pairs(items: string): string {
  return (items.match(/\S+ \S+/g) ?? [])
    .map((item) => item.replace(/^(UIDVALIDITY|HIGHESTMODSEQ) \d+/, '$1 #'))
    .sort()
    .join(' ');
}

/** The name in one form, whether it came as an atom, quoted or as a literal; what follows it stays. */
function plainName(rest: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"(.*)$/s.exec(rest);
  if (quoted !== null) return `"${quoted[1]!.replace(/\\(.)/g, '$1')}"${quoted[2]!}`;
  const literal = /^\{(\d+)\}\n(.*)$/s.exec(rest);
  if (literal !== null) return `"${literal[2]!.slice(0, Number(literal[1]))}"${literal[2]!.slice(Number(literal[1]))}`;
  const atom = /^(\S+)(.*)$/s.exec(rest);
  return atom === null ? rest : `"${atom[1]}"${atom[2]}`;
}

/** What only the one and only the other has said, each joined by " | "; null when both said the same. The order counts where nothing else differs. */
export function difference(ours: string, theirs: string): readonly [ours: string, theirs: string] | null {
  if (ours === theirs) return null;
  const mine = ours.split(' | ');
  const others = theirs.split(' | ');
  const left = without(mine, others);
  const right = without(others, mine);
  return left === '' && right === '' ? [ours, theirs] : [left, right];
}

function without(lines: readonly string[], others: readonly string[]): string {
  const rest = [...others];
  return lines
    .filter((line) => {
      const at = rest.indexOf(line);
      if (at !== -1) rest.splice(at, 1);
      return at === -1;
    })
    .join(' | ');
}

/** RFC 5530 gives refusals codes; Dovecot has none with many of them. */
export function isRefusalWithoutCode(ours: string, theirs: string): boolean {
  return ours.startsWith(`${theirs} [`) && theirs.endsWith('NO') && /^ \[(ALREADYEXISTS|CANNOT|NONEXISTENT)\]$/.test(ours.slice(theirs.length));
}
