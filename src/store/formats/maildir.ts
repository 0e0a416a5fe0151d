/** One account as Maildir++ (and names and flags back): folders ".A.B", flags in the name's info part, internal date as modification time. */

import { mkdir, open, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { FLAG } from '../../ports.ts';
import { decodeUtf7, encodeUtf7 } from '../../wire/imap/utf7.ts';

const LETTERS: readonly [letter: string, flag: number][] = [
  ['D', FLAG.draft],
  ['F', FLAG.flagged],
  ['R', FLAG.answered],
  ['S', FLAG.seen],
  ['T', FLAG.deleted],
];

/** "DFRST" letters of system flags, then a–z for keywords by their place in `keywords` (dovecot-keywords). */
export function infoLetters(flags: number, keywords: readonly number[]): string {
  const letters = LETTERS.filter(([, flag]) => (flags & flag) !== 0).map(([letter]) => letter);
  return (
    letters.join('') +
    keywords
      .filter((n) => n < 26)
      .sort((a, b) => a - b)
      .map((n) => String.fromCharCode(97 + n))
      .join('')
  );
}

export function parseInfo(name: string): { flags: number; keywords: number[] } {
  const at = name.lastIndexOf(':2,');
  let flags = 0;
  const keywords: number[] = [];
  if (at !== -1) {
    for (const letter of name.slice(at + 3)) {
      const row = LETTERS.find(([l]) => l === letter);
      if (row !== undefined) flags |= row[1];
      else if (letter >= 'a' && letter <= 'z') keywords.push(letter.charCodeAt(0) - 97);
    }
  }
  return { flags, keywords };
}

/** Modified UTF-7 for a dot within a level, which separates levels otherwise. */
const DOT = '&AC4-';

/** ".Work.2024" for "Work/2024", in modified UTF-7 as Maildir++ has it (RFC 3501 section 5.1.3); "" for INBOX. */
export function folderName(mailbox: string): string {
  if (mailbox === 'INBOX') return '';
  return `.${mailbox
    .split('/')
    .map((level) => encodeUtf7(level).replaceAll('.', DOT))
    .join('.')}`;
}

/** The mailbox of a folder; a level that is no modified UTF-7 stays as it is. */
export function mailboxName(folder: string): string {
  if (folder === '') return 'INBOX';
  return folder
    .slice(1)
    .split('.')
    .map((level) =>
      level
        .split(DOT)
        .map((text) => decodeUtf7(text) ?? text)
        .join('.'),
    )
    .join('/');
}

/** A Maildir being written. Nothing is visible in new/cur before its bytes are synced. */
export class MaildirWriter {
  readonly #directory: string;
  readonly #keywords: string[] = [];
  #count = 0;

  constructor(root: string, mailbox: string) {
    this.#directory = join(root, folderName(mailbox));
  }

  async open(): Promise<void> {
    for (const part of ['tmp', 'new', 'cur']) await mkdir(join(this.#directory, part), { recursive: true, mode: 0o700 });
    if (this.#directory.includes('/.')) await writeFile(join(this.#directory, 'maildirfolder'), '', { mode: 0o600 });
  }

  async add(bytes: AsyncIterable<Uint8Array>, size: number, flags: number, keywords: string | null, internalDate: number): Promise<void> {
    const letters = (keywords ?? '')
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => this.#keywordNumber(word));
    this.#count += 1;
    const unique = `${Math.floor(internalDate / 1000)}.M${this.#count}P${process.pid}.${hostname().replaceAll('/', '_')},S=${size}`;
    const temporary = join(this.#directory, 'tmp', unique);
    const file = await open(temporary, 'wx', 0o600);
    try {
      for await (const piece of bytes) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await utimes(temporary, internalDate / 1000, internalDate / 1000);
    await rename(temporary, join(this.#directory, 'cur', `${unique}:2,${infoLetters(flags, letters)}`));
  }

  #keywordNumber(word: string): number {
    const at = this.#keywords.indexOf(word);
    if (at !== -1) return at;
    this.#keywords.push(word);
    return this.#keywords.length - 1;
  }

  async close(): Promise<void> {
    if (this.#keywords.length > 0)
      await writeFile(join(this.#directory, 'dovecot-keywords'), this.#keywords.map((word, i) => `${i} ${word}\n`).join(''), { mode: 0o600 });
  }
}

/** Keywords by their number (dovecot-keywords); none when there is no such file. */
export async function readKeywords(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const words: string[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+) ([\x21-\x7e]+)$/.exec(line);
    if (match !== null && Number(match[1]) < 26) words[Number(match[1])] = match[2]!;
  }
  return words;
}
