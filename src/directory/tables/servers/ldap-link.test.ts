/** A directory server that means no good: what it sends ends in an error of this lookup and of nothing else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { connectLdap, type LdapLogin, LdapRefusal, type LdapSearch } from './ldap-link.ts';
import { ANSWER_BYTES_MAX } from './limits.ts';
import { LinkLost } from './pool.ts';

const LOGIN: LdapLogin = {
  isBound: false,
  dn: '',
  password: '',
  startTls: false,
  tls: { isVerified: false, authorityFile: '', authorityFolder: '', cert: '', key: '', ciphers: '' },
};
const SEARCH: LdapSearch = { base: 'dc=x', scope: 'sub', filter: '(a=b)', attributes: ['mail'], sizeLimit: 0, derefAliases: 'never', timeoutMs: 5000 };

/** Searches on a server that does `answer` once it was asked; the id of the request is the fifth byte of it. */
async function search(answer: (socket: Socket, id: number) => void, wanted: Partial<LdapSearch> = {}): Promise<unknown> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (request: Buffer) => answer(socket, request[4]!));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = { scheme: 'ldap', host: '127.0.0.1', port: (server.address() as AddressInfo).port, base: '', attributes: [], scope: 'base', filter: '' } as const;
  const link = await connectLdap(url, LOGIN, new AbortController().signal);
  try {
    return await link.search({ ...SEARCH, ...wanted });
  } catch (error) {
    return error;
  } finally {
    link.close();
    server.close();
  }
}

/** An LDAPMessage (RFC 4511 section 4.1.1) with the operation's tag and content. */
const message = (id: number, tag: number, content: readonly number[]): Buffer =>
  Buffer.from([0x30, 5 + content.length, 2, 1, id, tag, content.length, ...content]);
const DONE = [0x0a, 1, 0, 4, 0, 4, 0];
/** An entry without a name and without attributes. */
const ENTRY = [4, 0, 0x30, 0];

test('an empty answer', async () => assert.deepEqual(await search((socket, id) => socket.write(message(id, 0x65, DONE))), { entries: [], references: [] }));

test('thousands of entries in one piece', async () => {
  const found = (await search((socket, id) =>
    socket.write(Buffer.concat([...Array.from({ length: 9000 }, () => message(id, 0x64, ENTRY)), message(id, 0x65, DONE)])),
  )) as {
    entries: unknown[];
  };
  assert.equal(found.entries.length, 9000);
});

test('more entries than an answer may have', async () => {
  const error = await search((socket, id) =>
    socket.write(Buffer.concat([...Array.from({ length: 10_001 }, () => message(id, 0x64, ENTRY)), message(id, 0x65, DONE)])),
  );
  assert.ok(error instanceof LdapRefusal && /more than 10000 entries/.test(error.message));
});

test('messages for questions that were never asked', async () => {
  const found = await search((socket, id) =>
    socket.write(Buffer.concat([...Array.from({ length: 20_000 }, () => message((id + 1) % 128, 0x64, ENTRY)), message(id, 0x65, DONE)])),
  );
  assert.deepEqual(found, { entries: [], references: [] });
});

test('one message without end', async () => {
  const error = await search((socket) => {
    socket.write(Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]));
    const piece = Buffer.alloc(64 * 1024);
    const more = (): void => {
      if (!socket.destroyed) socket.write(piece, () => setImmediate(more));
    };
    more();
  });
  assert.ok(error instanceof LinkLost && error.message.includes(String(ANSWER_BYTES_MAX)), String(error));
});

test('an end before the answer, and an answer that is none', async () => {
  assert.ok((await search((socket) => socket.end())) instanceof LinkLost);
  assert.ok((await search((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), { timeoutMs: 50 })) instanceof Error);
  assert.ok((await search((socket, id) => socket.write(message(id, 0x65, [0x0a, 1, 53, 4, 0, 4, 0])))) instanceof LdapRefusal);
  assert.ok((await search((socket, id) => socket.write(message(id, 0x65, [0x0a, 1, 51, 4, 0, 4, 0])))) instanceof LinkLost, 'busy: another may do better');
});

test('a filter that makes no sense is never sent', async () => {
  let isAsked = false;
  const error = await search(
    () => {
      isAsked = true;
    },
    { filter: '(a=b)(c=d)' },
  );
  assert.ok(error instanceof LdapRefusal && /filter/.test(error.message));
  assert.equal(isAsked, false);
});
