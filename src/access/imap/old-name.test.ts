import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, TestServer } from './testing.ts';

const APART = 'Cafe\u0301';
const TOGETHER = 'Caf\u00e9';
const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

async function rev2(made: TestServer): Promise<Client> {
  const client = await made.client();
  await client.exchange('e ENABLE IMAP4rev2\r\n');
  return client;
}

test('who writes letters and accents apart is told what the mailbox is called (RFC 9051 section 6.3.9.7)', async () => {
  const client = await rev2(new TestServer());
  const said = (command: string): Promise<string> => client.exchange(`${command}\r\n`);
  assert.match(await said(`a CREATE "${APART}"`), new RegExp(`^\\* LIST \\(\\) "/" "${latin1(TOGETHER)}" \\("OLDNAME" \\("${latin1(APART)}"\\)\\)\r\na OK`));
  assert.match(
    await said(`b SELECT "${APART}"`),
    new RegExp(`\\* LIST \\(\\\\HasNoChildren\\) "/" "${latin1(TOGETHER)}" \\("OLDNAME" \\("${latin1(APART)}"\\)\\)\r\n`),
  );
  assert.match(await said(`c RENAME "${APART}" Tea`), new RegExp(`^\\* LIST \\(\\) "/" Tea \\("OLDNAME" \\("${latin1(APART)}"\\)\\)\r\nc OK`));
  assert.match(await said(`d RENAME Tea "${APART}"`), new RegExp(`^\\* LIST \\(\\) "/" "${latin1(TOGETHER)}" \\("OLDNAME" \\(Tea\\)\\)\r\nd OK`));
  assert.match(
    await said(`e DELETE "${APART}"`),
    new RegExp(`\\* LIST \\(\\\\NonExistent\\) "/" "${latin1(TOGETHER)}" \\("OLDNAME" \\("${latin1(APART)}"\\)\\)\r\ne OK`),
  );
});

test('the LIST response of SELECT has the attributes of the mailbox', async () => {
  const made = new TestServer();
  const client = await rev2(made);
  await client.exchange('a CREATE Mail/2026\r\nb CREATE Mail-old\r\nc CREATE Post (USE (\\Sent))\r\n');
  for (const [name, line] of [
    ['Mail', '* LIST (\\HasChildren) "/" Mail\r\n'],
    ['Mail/', '* LIST (\\HasChildren) "/" Mail ("OLDNAME" (Mail/))\r\n'],
    ['Mail/2026', '* LIST (\\HasNoChildren) "/" Mail/2026\r\n'],
    ['Mail-old', '* LIST (\\HasNoChildren) "/" Mail-old\r\n'],
    ['Post', '* LIST (\\HasNoChildren \\Sent) "/" Post\r\n'],
  ] as const)
    assert.ok((await client.exchange(`s SELECT "${name}"\r\n`)).includes(line), name);
});

test('clients of IMAP4rev1 hear nothing of it', async () => {
  const client = await new TestServer().client();
  // Modified UTF-7 of the letter and its accent.
  for (const command of ['CREATE "Cafe&AwE-"', 'SELECT "Cafe&AwE-"', 'RENAME "Cafe&AwE-" Tea', 'DELETE Tea']) {
    const said = await client.exchange(`a ${command}\r\n`);
    assert.match(said, /^a OK/m, command);
    assert.doesNotMatch(said, /\* LIST/, command);
  }
});
