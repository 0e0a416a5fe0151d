import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, type DeflateRaw } from 'node:zlib';
import { Compression, DeflateSink } from './compress-layer.ts';
import { ALICE, type Client, PASSWORD, settle, talk, TestServer } from './testing.ts';

/** The client's side of the layer, over a session's test socket. */
class Compressed {
  readonly client: Client;
  readonly #deflate: DeflateRaw = createDeflateRaw();
  readonly #inflate = createInflateRaw();
  #sent: Buffer[] = [];
  #heard = '';

  constructor(client: Client) {
    this.client = client;
    this.#deflate.on('data', (piece: Buffer) => this.#sent.push(piece));
    this.#inflate.on('data', (piece: Buffer) => {
      this.#heard += piece.toString('latin1');
    });
  }

  /** Compressed, with a flush behind it. */
  async pack(text: string | Buffer, flush: number = constants.Z_SYNC_FLUSH): Promise<Buffer> {
    this.#deflate.write(text);
    await new Promise<void>((resolve) => this.#deflate.flush(flush, () => resolve()));
    const packed = Buffer.concat(this.#sent);
    this.#sent = [];
    return packed;
  }

  /** What the server said, up to the tagged line. */
  async until(tag: string): Promise<string> {
    for (;;) {
      const { isClosed } = this.client;
      const heard = Buffer.from(this.client.output(), 'latin1');
      if (heard.length > 0) await new Promise<void>((resolve) => this.#inflate.write(heard, () => resolve()));
      if (this.#heard.includes(`\r\n${tag} `) || this.#heard.startsWith(`${tag} `) || isClosed) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { length } = this.#heard;
    await settle(() => length);
    const answer = this.#heard;
    this.#heard = '';
    return answer;
  }

  async exchange(text: string, tag: string): Promise<string> {
    this.client.send(await this.pack(text));
    return this.until(tag);
  }
}

async function compressed(server: TestServer): Promise<Compressed> {
  const client = await server.client();
  await talk(client, 'C: c COMPRESS DEFLATE\nS: c OK DEFLATE is active');
  return new Compressed(client);
}

test('COMPRESS is offered where it is switched on, once, after login', async () => {
  const off = await new TestServer().client();
  await talk(off, 'C: a COMPRESS DEFLATE\nS: a BAD COMPRESS is not offered');
  const server = new TestServer({ 'imap.compress': true });
  const early = server.connect();
  assert.doesNotMatch(early.output(), /COMPRESS/);
  await talk(early, 'C: a COMPRESS DEFLATE\nS: a BAD COMPRESS needs a login first');
  const client = await server.client();
  assert.match(await client.exchange('a CAPABILITY\r\n'), / COMPRESS=DEFLATE/);
  await talk(
    client,
    `
    C: a COMPRESS LZMA
    S: a BAD Unknown compression
    C: b COMPRESS
    S: b BAD more arguments expected at byte 11
    C: c COMPRESS DEFLATE
    C: d NOOP
    S: c BAD Nothing may follow COMPRESS before its answer
    S: d OK NOOP completed
  `,
  );
  const layer = await compressed(server);
  assert.doesNotMatch(await layer.exchange('a CAPABILITY\r\n', 'a'), /COMPRESS/);
  assert.equal(await layer.exchange('b COMPRESS DEFLATE\r\n', 'b'), 'b BAD [COMPRESSIONACTIVE] DEFLATE is active already\r\n');
});

test('compressed: commands, large messages both ways, IDLE', async () => {
  const server = new TestServer({ 'imap.compress': true });
  const layer = await compressed(server);
  const body = Array.from({ length: 20_000 }, (_, i) => `line ${i * 7919} of a message`).join('\r\n');
  const message = `Subject: large\r\n\r\n${body}\r\n`;
  assert.match(await layer.exchange(`a APPEND INBOX {${message.length}+}\r\n${message}\r\n`, 'a'), /a OK \[APPENDUID/);
  assert.match(await layer.exchange('b SELECT INBOX\r\n', 'b'), /\* 1 EXISTS/);
  const fetched = await layer.exchange('c FETCH 1 BODY.PEEK[]\r\n', 'c');
  assert.equal(fetched, `* 1 FETCH (BODY[] {${message.length}}\r\n${message})\r\nc OK FETCH completed\r\n`);
  assert.match(await layer.exchange('d IDLE\r\n', '+'), /\+ idling/);
  server.store.deliver(server.inbox, 'Subject: new\r\n\r\n');
  assert.match(await layer.until('* 2'), /^\* 2 EXISTS/);
  assert.match(await layer.exchange('DONE\r\n', 'd'), /d OK IDLE completed/);
  assert.match(await layer.exchange('e LOGOUT\r\n', 'e'), /\* BYE Logging out\r\ne OK LOGOUT completed/);
  await settle();
  assert.equal(layer.client.isClosed, true);
});

test('compressed input may end anywhere', async () => {
  const server = new TestServer({ 'imap.compress': true });
  const layer = await compressed(server);
  const packed = await layer.pack('a APPEND INBOX {12+}\r\nSubject: abc\r\nb CAPABILITY\r\nc NOOP\r\n');
  for (const byte of packed) layer.client.send(Buffer.from([byte]));
  assert.match(await layer.until('c'), /a OK [\s\S]*\* CAPABILITY [\s\S]*b OK [\s\S]*c OK/);
});

test('damaged input, and input that ends too early, close the connection with a word', async () => {
  const server = new TestServer({ 'imap.compress': true });
  const damaged = await compressed(server);
  damaged.client.send(Buffer.from('a NOOP\r\nthis is no deflate stream at all\r\n'));
  assert.match(await damaged.until('*'), /\* BYE Compressed data is damaged/);
  const ended = await compressed(server);
  ended.client.send(deflateRawSync('a NOOP\r\n'));
  assert.match(await ended.until('a'), /a OK NOOP/);
  ended.client.send(Buffer.from([1, 2, 3]));
  assert.match(await ended.until('*'), /\* BYE Compressed data has ended/);
});

test('a deflate bomb is noticed: zeros without end are not a message', async () => {
  const server = new TestServer({ 'imap.compress': true, 'imap.appendBytesMax': 64 * 1024 });
  const layer = await compressed(server);
  // Refused, and read all the same; one far larger would not be.
  const zeros = Buffer.concat([Buffer.from(`a APPEND INBOX {${256 * 1024}+}\r\n`), Buffer.alloc(256 * 1024), Buffer.from('\r\n')]);
  for (let i = 0; i < 256 && !layer.client.isClosed; i += 1) {
    layer.client.send(await layer.pack(zeros));
    await settle();
  }
  assert.match(await layer.until('*'), /\* BYE Too much in too few octets/);
  assert.equal(server.store.mailboxById(ALICE.id, server.inbox)!.exists, 0);
});

test('UNAUTHENTICATE ends compression both ways, and plain commands may follow in the same packet (RFC 8437 section 4.1)', async () => {
  const server = new TestServer({ 'imap.compress': true });
  const layer = await compressed(server);
  const last = deflateRawSync('a UNAUTHENTICATE\r\n');
  layer.client.send(Buffer.concat([last, Buffer.from(`b LOGIN ${ALICE.login} ${PASSWORD}\r\n`)]));
  let raw = '';
  while (!raw.includes('Logged in')) {
    await new Promise((resolve) => setImmediate(resolve));
    raw += layer.client.output();
  }
  const heard = Buffer.from(raw, 'latin1');
  const inflate = createInflateRaw();
  let plain = '';
  inflate.on('data', (piece: Buffer) => {
    plain += piece.toString('latin1');
  });
  const isOver = new Promise((resolve) => inflate.once('end', resolve));
  inflate.write(heard);
  await isOver;
  assert.match(plain, /^a OK \[CAPABILITY [^\]]*\] UNAUTHENTICATE completed\r\n$/);
  assert.match(heard.toString('latin1', inflate.bytesWritten), /^b OK .*Logged in\r\n$/);
  await talk(layer.client, 'C: c NOOP\nS: c OK NOOP completed');
});

/** Two ends of a connection over loopback. */
async function socketPair(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const listener = createServer();
  const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const far = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const near = await accepted;
  t.after(() => {
    near.destroy();
    far.destroy();
    listener.close();
  });
  return { near, far };
}

test('a client that does not read stops the deflating: what waits is seen, and comes whole later', async (t) => {
  const { near, far } = await socketPair(t);
  far.pause();
  const sink = new DeflateSink(near);
  const pieces: Buffer[] = [];
  let seed = 1;
  const noise = (): Buffer => {
    const bytes = Buffer.allocUnsafe(256 * 1024);
    for (let i = 0; i < bytes.length; i += 1) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      bytes[i] = seed >> 16;
    }
    return bytes;
  };
  for (let i = 0; i < 64; i += 1) {
    pieces.push(noise());
    sink.write(pieces[i]!);
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sink.writableLength > 1024 * 1024);
  const inflate = createInflateRaw();
  const out: Buffer[] = [];
  let length = 0;
  const all = new Promise<void>((resolve) => {
    inflate.on('data', (piece: Buffer) => {
      out.push(piece);
      length += piece.length;
      if (length === 64 * 256 * 1024) resolve();
    });
  });
  far.pipe(inflate);
  await all;
  assert.equal(Buffer.concat(out).equals(Buffer.concat(pieces)), true);
  await new Promise<void>((resolve) => sink.write('', () => resolve()));
  assert.equal(sink.writableLength, 0);
  sink.destroy();
  inflate.destroy();
});

test('a session that has enough stops the inflating', async (t) => {
  const { near, far } = await socketPair(t);
  let taken = 0;
  let whenHalf: () => void = () => {};
  const half = new Promise<void>((resolve) => {
    whenHalf = resolve;
  });
  const layer: Compression = new Compression(near, {
    take(bytes) {
      taken += bytes.length;
      if (taken > 100_000) {
        layer.pause();
        whenHalf();
      }
    },
    fail: (why) => assert.fail(why),
    ended: () => assert.fail('ended'),
    bytesFree: 1024 ** 3,
  });
  near.on('data', (chunk: Buffer) => layer.push(chunk));
  far.write(deflateRawSync(Buffer.alloc(10 * 1024 * 1024)));
  await half;
  const before = taken;
  await settle();
  assert.ok(taken - before < 64 * 1024, 'only what was under way still came');
  assert.equal(near.isPaused(), true);
  while (taken < 10 * 1024 * 1024) {
    layer.resume();
    await new Promise((resolve) => setImmediate(resolve));
  }
  layer.close();
});
