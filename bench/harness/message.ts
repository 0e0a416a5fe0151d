/** Test messages: plain text of made-up words, which compresses about as real mail does (not lines of X). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '../../test/torture/random.ts';

/** Zipf-like: few words are frequent. */
function words(count: number, seed: number): string[] {
  const random = seeded(seed);
  return Array.from({ length: count }, () =>
    Array.from({ length: random.between(2, 9) }, () => 'eeeeaaaiioounnnrrrtttsssdddllhhmgckbpfvwyzjxq'[random.between(0, 43)]).join(''),
  );
}

/** Body text of about `bytes`, lines of at most 72 characters, ended by `end`. */
export function prose(bytes: number, seed: number, end: string): string {
  const random = seeded(seed);
  const vocabulary = words(3000, 7);
  const lines: string[] = [];
  let length = 0;
  while (length < bytes) {
    let line = '';
    while (line.length < 62) line += `${vocabulary[Math.floor(vocabulary.length * random.next() ** 3)]} `;
    lines.push(line.trimEnd());
    length += line.length + end.length;
  }
  return lines.join(end) + end;
}

/** Files for `smtp-source -F` (header and body with LF ends), one for each user. */
export function messageFiles(dir: string, bytes: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const file = join(dir, `${bytes}.${index + 1}.eml`);
    const head = `From: Sender <sender@example.com>\nTo: user${index + 1}@perf.test\nSubject: Measurement ${index + 1} of a message\nDate: Fri, 20 Nov 2026 10:00:00 +0000\nMessage-ID: <bench.${bytes}.${index + 1}@example.com>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n`;
    writeFileSync(file, head + prose(Math.max(0, bytes - head.length), bytes + index, '\n'));
    return file;
  });
}
