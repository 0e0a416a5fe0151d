/** The same message in two servers, and all that FETCH says of it in both. */
import type { ImapClient } from '../harness/imap-client.ts';
import { fetchItems, type Items, type Part, partsOf, type Value } from './answers.ts';

/** `text` has one character per byte. */
export interface Letter {
  readonly name: string;
  readonly text: string;
}

export interface Difference {
  readonly letter: string;
  /** BODYSTRUCTURE, BODY[1.MIME] … */
  readonly item: string;
  readonly ours: Value | undefined;
  readonly theirs: Value | undefined;
}

/** When the letter came: some moment of 2026, in zones east and west. */
export function internalDate(index: number): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${String(1 + (index % 28)).padStart(2)}-Mar-2026 ${two(index % 24)}:${two(index % 60)}:${two((index * 7) % 60)} ${index % 2 === 0 ? '+' : '-'}0${index % 10}30`;
}

/** Letters sent at once, so that nobody waits for each answer. */
const BATCH = 40;

/** Appends all letters to a new mailbox; the names of those refused are answered. */
export async function fill(client: ImapClient, mailbox: string, letters: readonly Letter[]): Promise<readonly string[]> {
  const refused: string[] = [];
  await client.ok(`CREATE ${mailbox}`);
  for (let from = 0; from < letters.length; from += BATCH) {
    const batch = letters.slice(from, from + BATCH);
    for (const [at, { text }] of batch.entries())
      client.wire.send(`a${from + at} APPEND ${mailbox} "${internalDate(from + at)}" {${text.length}+}\r\n${text}\r\n`);
    for (const [at, { name }] of batch.entries()) {
      const { status } = await client.finish(`a${from + at}`);
      if (!status.startsWith('OK')) refused.push(`${name}: ${status}`);
    }
  }
  return refused;
}

/** A session that is begun again when the server ends it, which Dovecot does where a part cannot be decoded. */
export class Reader {
  readonly #open: () => Promise<ImapClient>;
  readonly #mailbox: string;
  #client: ImapClient | null = null;
  constructor(open: () => Promise<ImapClient>, mailbox: string) {
    this.#open = open;
    this.#mailbox = mailbox;
  }

  /** The status word and the items of the answer; ENDED when the connection ended instead. */
  async ask(index: number, items: readonly string[]): Promise<{ status: string; items: Items }> {
    const all = new Map<string, Value>();
    if (this.#client === null) {
      this.#client = await this.#open();
      await this.#client.ok(`SELECT ${this.#mailbox}`);
    }
    const answer = await this.#client.command(`FETCH ${index} (${items.join(' ')})`).catch((error: Error) => {
      if (!error.message.startsWith('the ')) throw error;
      this.#client = null;
      return null;
    });
    if (answer === null) return { status: 'ENDED', items: all };
    for (const line of answer.untagged) {
      for (const [name, value] of fetchItems(line) ?? []) if (!UNASKED.has(name)) all.set(name, value);
    }
    return { status: answer.status.split(' ')[0]!, items: all };
  }
}
/** Came because a message was marked as read. */
const UNASKED = new Set(['FLAGS', 'UID', 'MODSEQ']);

const WHOLE = [
  'RFC822.SIZE',
  'INTERNALDATE',
  'ENVELOPE',
  'BODY',
  'BODYSTRUCTURE',
  'BODY.PEEK[]',
  'BODY.PEEK[HEADER]',
  'BODY.PEEK[TEXT]',
  'RFC822.HEADER',
  'BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT Message-ID)]',
  'BODY.PEEK[HEADER.FIELDS (to "cc" Content-type X-None)]',
  'BODY.PEEK[HEADER.FIELDS (X-ODD Received x-spaced)]',
  'BODY.PEEK[HEADER.FIELDS.NOT (subject "FROM" To X-Odd)]',
  'BODY.PEEK[1]',
  'BODY.PEEK[2]',
  'RFC822',
  'RFC822.TEXT',
];
/** Partials at every edge of a section of `size` octets. */
const EDGES = 8;
/** One letter of so many is cut at the edges. */
const EDGES_OF = 6;
function partial(edge: number, size: number): string {
  const edges = [
    [0, 1],
    [0, size + 1],
    [size - 1, 2],
    [size, 1],
    [size + 1, 10],
    [1, 3],
    [0, 4294967295],
    [Math.floor(size / 2), 100],
  ] as const;
  const [start, count] = edges[edge]!;
  return `<${Math.max(0, start)}.${count}>`;
}

/** Parts of one message looked into; a broad message has many that are alike. */
const PARTS_MOST = 14;

function sectionsOf(paths: readonly Part[]): string[] {
  const items: string[] = [];
  for (const [path, kind] of paths) {
    items.push(`BODY.PEEK[${path}]`, `BODY.PEEK[${path}.MIME]`, `BODY.PEEK[${path}.HEADER]`, `BODY.PEEK[${path}.TEXT]`);
    if (kind === 'MESSAGE')
      items.push(
        `BODY.PEEK[${path}.HEADER.FIELDS (subject FROM)]`,
        `BODY.PEEK[${path}.HEADER.FIELDS.NOT (to X-Odd)]`,
        `BODY.PEEK[${path}.2]`,
        `BODY.PEEK[${path}.1.MIME]`,
      );
    else items.push(`BODY.PEEK[${path}.1]`);
  }
  return items;
}

/** Items of one command: we take 100. */
const ITEMS_MOST = 90;

/** All items in which the two differ, in the order asked. Stops at nothing: one item may be wrong and the next right. */
export async function compareLetter(
  ours: Reader,
  theirs: Reader,
  index: number,
  letter: string,
  same: (item: string, ours: Value | undefined, theirs: Value | undefined) => boolean,
): Promise<{ differences: readonly Difference[]; compared: number }> {
  const differences: Difference[] = [];
  /** A part that is neither multipart nor message has no parts (RFC 9051 section 6.4.5.1); Dovecot answers with itself. */
  const absent = new Set<string>();
  /** Decoded parts that both gave alike. */
  const binaries = new Map<string, string>();
  let compared = 0;
  const note = (item: string, here: Value | undefined, there: Value | undefined): void => {
    compared += 1;
    // The size of what is the same: Dovecot counts line ends of quoted-printable text differently from what it then sends.
    const decoded = item.startsWith('BINARY.SIZE[') ? binaries.get(item.replace('.SIZE', '')) : undefined;
    if (decoded !== undefined && typeof here === 'number') {
      if (here !== decoded.length) differences.push({ letter, item, ours: here, theirs: decoded.length });
    } else if (absent.has(item)) {
      if (here !== null) differences.push({ letter, item, ours: here, theirs: null });
    } else if (!same(item, here, there)) differences.push({ letter, item, ours: here, theirs: there });
  };
  const both = async (items: readonly string[]): Promise<[Items, Items]> => {
    if (items.length > ITEMS_MOST) {
      const [first, other] = await both(items.slice(0, ITEMS_MOST));
      const [rest, otherRest] = await both(items.slice(ITEMS_MOST));
      return [new Map([...first, ...rest]), new Map([...other, ...otherRest])];
    }
    if (items.length === 0) return [new Map(), new Map()];
    const [here, there] = await Promise.all([ours.ask(index, items), theirs.ask(index, items)]);
    if ((here.status !== 'OK' || there.status !== 'OK') && items.length > 1) {
      // One item was refused: which, and are the others alike?
      const all: [Map<string, Value>, Map<string, Value>] = [new Map(), new Map()];
      for (const item of items) for (const [at, found] of (await both([item])).entries()) for (const [name, value] of found) all[at]!.set(name, value);
      return all;
    }
    for (const [name, value] of here.items) if (typeof value === 'string' && value === there.items.get(name)) binaries.set(name, value);
    const sized = items[0]!.startsWith('BINARY.SIZE[') ? here.items.get(items[0]!) : undefined;
    // Dovecot refuses the size of any part when one of the message is in an unknown encoding.
    if (typeof sized === 'number' && there.status === 'NO') note(items[0]!, sized, binaries.get(items[0]!.replace('.SIZE', ''))?.length);
    else if (here.status !== there.status) note(items[0]!, { atom: here.status }, { atom: there.status });
    else if (here.status === 'OK')
      for (const name of new Set([...here.items.keys(), ...there.items.keys()])) note(name, here.items.get(name), there.items.get(name));
    return [here.items, there.items];
  };

  const [whole, otherWhole] = await both(WHOLE);
  const parts = new Map<string, Part[1]>([...partsOf(otherWhole.get('BODYSTRUCTURE') ?? null), ...partsOf(whole.get('BODYSTRUCTURE') ?? null)]);
  const some = [...parts].slice(0, PARTS_MOST);
  for (const [path, kind] of some) if (kind === 'LEAF') absent.add(`BODY[${path}.1]`);
  const text = whole.get('BODY[TEXT]');
  const header = whole.get('BODY[HEADER]');
  // A part beyond the end can stand in a command of its own only: it may be refused.
  await both([...new Set(sectionsOf(some))]);
  const size = typeof text === 'string' ? text.length : 0;
  const headerSize = typeof header === 'string' ? header.length : 0;
  // The same section may be asked for once in a command, so that the answers can be told apart.
  const leaves = some.filter(([, kind]) => kind === 'LEAF').map(([path]) => path);
  const [binary] = await both(leaves.flatMap((path) => [`BINARY.PEEK[${path}]`, `BINARY.SIZE[${path}]`]));
  const sizes: [section: string, size: number][] = [
    ['BODY.PEEK[TEXT]', size],
    ['BODY.PEEK[]', size + headerSize],
    ['BODY.PEEK[HEADER]', headerSize],
    ['BODY.PEEK[1.MIME]', 10],
  ];
  for (const path of leaves.slice(0, 3)) {
    const decoded = binary.get(`BINARY[${path}]`);
    if (typeof decoded === 'string') sizes.push([`BINARY.PEEK[${path}]`, decoded.length], [`BODY.PEEK[${path}]`, decoded.length]);
  }
  // Of most letters the edges would be alike.
  if (index % EDGES_OF === 0 || /base64|quoted-printable/i.test(letter))
    for (let edge = 0; edge < EDGES; edge += 1) await both(sizes.map(([section, sectionSize]) => `${section}${partial(edge, sectionSize)}`));
  return { differences, compared };
}
