import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { AdminContext, AdminHandlers } from '../ports.ts';
import { connectControl, controlPath, ServerNotRunning, serveControl } from './control.ts';
import { Failure } from './failure.ts';
import { SILENT_LOG } from './log.ts';

const context = { log: SILENT_LOG } as unknown as AdminContext;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'posthorn-control-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function serve(t: TestContext, handlers: AdminHandlers): Promise<string> {
  const path = controlPath(folder(t));
  const server = await serveControl(path, handlers, context);
  t.after(() => server.close());
  return path;
}

test('a command is called with its arguments, reports progress and answers, bytes included', async (t) => {
  const path = await serve(t, {
    'echo.args': async (given, args, emit) => {
      assert.equal(given, context);
      emit('half');
      emit(new Uint8Array([0, 255]));
      return { args, bytes: Buffer.from('mail\r\n') };
    },
  });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const admin = await connectControl(path);
  const progress: unknown[] = [];
  const result = await admin.call('echo.args', { a: [1, 'ü'] }, (p) => progress.push(p));
  assert.deepEqual(result, { args: { a: [1, 'ü'] }, bytes: new Uint8Array(Buffer.from('mail\r\n')) });
  assert.deepEqual(progress, ['half', new Uint8Array([0, 255])]);
  await admin.close();
});

test('failures keep their code, other errors their sentence, unknown commands are named', async (t) => {
  const path = await serve(t, {
    'user.add': async () => {
      throw new Failure('exists', 'There is an account a@b already.');
    },
    'user.bad': () => {
      throw new Error('No such thing.');
    },
  });
  const admin = await connectControl(path);
  await assert.rejects(
    admin.call('user.add', {}),
    (error) => error instanceof Failure && error.code === 'exists' && error.message === 'There is an account a@b already.',
  );
  await assert.rejects(admin.call('user.bad', {}), { message: 'No such thing.' });
  await assert.rejects(admin.call('constructor', {}), /does not know the command "constructor"/);
  await admin.close();
});

test('calls on one connection run side by side and each gets its own answer', async (t) => {
  const gates = new Map<number, () => void>();
  const path = await serve(t, { wait: (_c, n) => new Promise((done) => gates.set(n, () => done(n))), open: async (_c, n) => gates.get(n)!() });
  const admin = await connectControl(path);
  const first = admin.call('wait', 1);
  const second = admin.call('wait', 2);
  await admin.call('open', 2);
  assert.equal(await second, 2);
  await admin.call('open', 1);
  assert.equal(await first, 1);
  await admin.close();
});

test("the handler's signal aborts when the caller goes away", async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const path = await serve(t, {
    long: (_c, _a, _e, signal) =>
      new Promise((_, reject) => {
        started.resolve();
        signal.addEventListener('abort', () => {
          resolve();
          reject(new Error('gone'));
        });
      }),
  });
  const admin = await connectControl(path);
  const call = admin.call('long', {});
  await started.promise;
  await admin.close();
  await promise;
  await assert.rejects(call, /The server ended before it answered/);
});

test('with no server the caller is told so; a socket left by a crash is replaced, a live one is not', async (t) => {
  const dir = folder(t);
  const path = controlPath(dir);
  await assert.rejects(connectControl(path), ServerNotRunning);
  // A thread that is terminated while listening leaves the name behind, as kill -9 does.
  const worker = new Worker(
    `require('node:net').createServer().listen(${JSON.stringify(path)}, () => require('node:worker_threads').parentPort.postMessage('up'))`,
    { eval: true },
  );
  await new Promise((done) => worker.once('message', done));
  await assert.rejects(serveControl(path, {}, context), /Another Posthorn server is running on this data folder/);
  await worker.terminate();
  const server = await serveControl(path, {}, context);
  await (await connectControl(path)).close();
  await server.close();
  await assert.rejects(connectControl(path), ServerNotRunning);
});

test('a file in the place of the socket and a path too long are named', async (t) => {
  const dir = folder(t);
  writeFileSync(controlPath(dir), 'x');
  await assert.rejects(serveControl(controlPath(dir), {}, context), /exists and is not a socket/);
  await assert.rejects(serveControl(controlPath(`/${'x'.repeat(200)}`), {}, context), /too long for the system/);
});

test('lines that are not requests are answered, lines without end are cut off', async (t) => {
  const path = await serve(t, { ping: async () => 'pong' });
  const talk = (sent: (string | Buffer)[]): Promise<string> =>
    new Promise((done) => {
      let text = '';
      const socket = createConnection(path, () => {
        for (const piece of sent) socket.write(piece);
        socket.end();
      });
      socket.on('data', (data) => (text += data));
      socket.on('error', () => undefined); // cut while we were still sending: 'close' follows
      socket.on('close', () => done(text));
    });
  for (const wrong of ['nonsense', '5', 'null', '[]', '{"id":"1","name":"ping"}', '{"id":1}', '\u0000'])
    assert.match(await talk([`${wrong}\n`]), /"code":"request"/, wrong);
  assert.match(await talk(['{"id":1,"na', 'me":"ping"}\n\n']), /\{"id":1,"result":"pong"\}/);
  assert.match(await talk([Buffer.alloc(9 * 1024 * 1024, 0x20)]), /^(\{"id":null,"error":\{"code":"request","message":"The request is too long\."\}\}\n)?$/);
});

test('at most eight commands run at a time on one connection', async (t) => {
  const path = await serve(t, { wait: (_c, _a, _e, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gone')))) });
  const admin = await connectControl(path);
  const calls = Array.from({ length: 9 }, () => admin.call('wait', {}));
  await assert.rejects(calls[8]!, /At most 8 commands at a time/);
  await admin.close();
  for (const result of await Promise.allSettled(calls)) assert.equal(result.status, 'rejected');
});

test('a peer that is not our server is not believed', async (t) => {
  const path = join(folder(t), 'other.sock');
  const other = createServer((socket) => socket.end('220 mail ESMTP\r\n'));
  await new Promise<void>((done) => other.listen(path, done));
  t.after(() => other.close());
  const admin = await connectControl(path);
  await assert.rejects(admin.call('x', {}), /not an answer|ended before it answered/);
});
