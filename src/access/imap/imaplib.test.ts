/** Python's imaplib as a second opinion on what we say: a real client over a real socket. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { listen } from '../../net/listen.ts';
import { NET_SETTINGS } from '../../net/settings.ts';
import { defaultsOf } from '../../system/declare.ts';
import { createImapSession } from './session.ts';
import { ALICE, TestServer } from './testing.ts';

const SCRIPT = String.raw`
import imaplib, json, sys, time
out = {}
m = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]))
m.login('alice@example.org', 'wonderland')
out['list'] = sorted(line.decode() for line in m.list()[1])
out['select'] = m.select('INBOX')[1][0].decode()
big = ('Subject: big\r\n\r\n' + 'line of text\r\n' * 40000).encode()
out['append'] = m.append('INBOX', '(\\Flagged)', imaplib.Time2Internaldate(0), big)[0]
typ, data = m.fetch('2', '(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])')
out['same'] = data[0][1] == big
out['size'] = len(big)
out['meta'] = data[0][0].decode()
out['search'] = m.search(None, 'FLAGGED')[1][0].decode()
out['uidsearch'] = m.uid('SEARCH', 'SUBJECT', 'hello')[1][0].decode()
out['store'] = m.store('1', '+FLAGS', '(\\Deleted)')[1][0].decode()
out['copy'] = m.copy('2', 'Trash')[0]
out['expunge'] = [n.decode() for n in m.expunge()[1]]
out['status'] = m.status('Trash', '(MESSAGES UIDNEXT)')[1][0].decode()
out['thousand'] = all(m.noop()[0] == 'OK' for _ in range(200))
out['close'] = m.close()[0]
# Only now: this client puts its own brackets around what it appends once UTF-8 is on.
m.enable('UTF8=ACCEPT')
out['create'] = m.create('"Entwürfe & mehr"')[0]
out['logout'] = m.logout()[0]
print(json.dumps(out))
`;

test('imaplib logs in, appends, fetches, searches, copies and expunges', async (t) => {
  const server = new TestServer();
  server.store.deliver(server.inbox, 'Subject: hello\r\n\r\nworld\r\n');
  server.store.addMailbox(ALICE.id, 'Trash', 'trash');
  const context = { ...server.context, settings: () => ({ ...server.settings, ...defaultsOf(NET_SETTINGS) }) };
  const listener = await listen(['127.0.0.1:0'], 'imap', false, context, createImapSession(context), { reusePort: false });
  t.after(() => listener.drain(0));
  const port = listener.addresses[0]!.split(':')[1]!;
  const { stdout } = await promisify(execFile)('python3', ['-c', SCRIPT, port], { timeout: 30_000 });
  const out = JSON.parse(stdout);
  assert.deepEqual(out, {
    list: ['(\\HasNoChildren \\Trash) "/" Trash', '(\\HasNoChildren) "/" INBOX'],
    create: 'OK',
    select: '1',
    append: 'OK',
    same: true,
    size: out.size,
    meta: `2 (UID 2 FLAGS (\\Recent \\Flagged) INTERNALDATE " 1-Jan-1970 00:00:00 +0000" RFC822.SIZE ${out.size} BODY[] {${out.size}}`,
    search: '2',
    uidsearch: '1',
    store: '1 (FLAGS (\\Recent \\Deleted))',
    copy: 'OK',
    expunge: ['1'],
    status: 'Trash (MESSAGES 1 UIDNEXT 2)',
    thousand: true,
    close: 'OK',
    logout: 'BYE',
  });
});
