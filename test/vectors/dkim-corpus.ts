/**
 * An extra check against the test messages of the Perl module Mail::DKIM, which are not part of this repository:
 *   node test/vectors/dkim-corpus.ts DIRECTORY
 * where DIRECTORY holds mail-dkim-corpus/, mail-dkim-expected.tsv and mail-dkim-FAKE_DNS.dat. Prints what differs; keys and hashes that
 * RFC 8301 has since forbidden count as verified here, because the messages are older.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BodyHashes } from '../../src/judge/authenticity/body-hash.ts';
import { checkDkim, type DkimResult } from '../../src/judge/authenticity/dkim.ts';
import { createMemo } from '../../src/judge/authenticity/memo.ts';
import { MessageHeader } from '../../src/judge/authenticity/message-header.ts';
import { run } from '../../src/judge/authenticity/steps.ts';
import { messageView, tableDns, type Zone } from '../../src/judge/authenticity/testing.ts';

const dir = process.argv[2] ?? '';
if (!existsSync(join(dir, 'mail-dkim-expected.tsv'))) {
  console.log('skipped: no mail-dkim-expected.tsv in the directory given');
  process.exit(0);
}
const zones: Record<string, Zone> = {};
for (const line of readFileSync(join(dir, 'mail-dkim-FAKE_DNS.dat'), 'latin1').split(/\r?\n/)) {
  const match = /^([^#\s]\S*)\s+(.*)$/.exec(line);
  if (match === null) continue;
  const [, name, text] = match as unknown as [string, string, string];
  if (text.startsWith('~~')) zones[name.toLowerCase()] = { fails: true };
  else if (text !== 'NXDOMAIN') zones[name.toLowerCase()] = { txt: [text] };
}
/** DomainKeys, the drafts without bh=, and the tag g= that RFC 6376 dropped. */
const OBSOLETE = /dk_|ietf00|badkey_(?:8|9|12|13)\.txt/;
let right = 0;
let obsolete = 0;
const different: string[] = [];
for (const line of readFileSync(join(dir, 'mail-dkim-expected.tsv'), 'utf8').split('\n').slice(1)) {
  const [file, expected] = line.split('\t');
  if (file === undefined || expected === undefined || !existsSync(join(dir, 'mail-dkim-corpus', file))) continue;
  if (OBSOLETE.test(file)) {
    obsolete += 1;
    continue;
  }
  const message = messageView(readFileSync(join(dir, 'mail-dkim-corpus', file)));
  const hashes = new BodyHashes();
  const header = new MessageHeader(message.header, message.size);
  const options = { rsaBitsMin: 512, signaturesMax: 10, domainSignaturesMax: 10, nowSeconds: Math.floor(Date.now() / 1000), prefer: null };
  const pending = await run(checkDkim(header, tableDns(zones), createMemo(100), options, hashes));
  await hashes.feed(message, header.end);
  const results: DkimResult[] = pending.map((finish) => finish());
  const isPass = results.some((result) => result.isVerified);
  if (isPass === (expected === 'pass')) right += 1;
  else different.push(`${file}: expected ${expected}, found ${results.map(({ result, reason }) => `${result} (${reason})`).join(', ') || 'nothing'}`);
}
console.log(`${right} right, ${different.length} different, ${obsolete} obsolete left out`);
for (const line of different) console.log(line);
process.exitCode = different.length === 0 ? 0 : 1;
