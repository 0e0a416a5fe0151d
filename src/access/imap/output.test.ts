import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { Output } from './output.ts';

/** Keeps what it is given as it is given, and looks at it only when it says that it is written: memory that was written to again meanwhile shows. */
class SlowSocket extends Writable {
  heard = '';
  isSlow: boolean;
  #given: { chunk: Buffer; done: () => void } | null = null;

  constructor(isSlow: boolean) {
    super({ decodeStrings: true });
    this.isSlow = isSlow;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#given = { chunk, done };
    if (!this.isSlow) this.take();
  }
  take(): boolean {
    const given = this.#given;
    if (given === null) return false;
    this.#given = null;
    this.heard += given.chunk.toString('latin1');
    given.done();
    return true;
  }
}

test('property: text, bytes and bytes put in place come out in order, from many sessions at once, however slowly they are taken', async () => {
  const said = fc.oneof(
    fc.record({ kind: fc.constant('text' as const), size: fc.integer({ min: 0, max: 3000 }) }),
    fc.record({ kind: fc.constantFrom('bytes' as const, 'room' as const), size: fc.constantFrom(0, 1, 500, 5000, 32_768, 32_769, 65_536) }),
    fc.record({ kind: fc.constantFrom('flush' as const, 'take' as const, 'nothing taken' as const), size: fc.constant(0) }),
  );
  const session = fc.record({ isTls: fc.boolean(), isSlow: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(session, { minLength: 1, maxLength: 3 }), fc.array(fc.tuple(fc.nat(2), said), { maxLength: 40 }), async (kinds, steps) => {
      const sessions = kinds.map(({ isTls, isSlow }) => {
        const socket = new SlowSocket(isSlow);
        return { socket, out: new Output(socket as never, isTls), expected: '' };
      });
      for (const [n, [which, { kind, size }]] of steps.entries()) {
        const one = sessions[which % sessions.length]!;
        const content = String.fromCharCode(33 + (n % 90)).repeat(size);
        if (kind === 'text') one.out.write(content);
        else if (kind === 'bytes') one.out.bytes(Buffer.from(content));
        else if (kind === 'room') {
          one.out.room(size + 1).write(content, 'latin1');
          one.out.took(size);
        } else if (kind === 'nothing taken') one.out.room(100).fill('!', 0, 100);
        else if (kind === 'flush') one.out.flush();
        else one.socket.take();
        one.expected += content;
      }
      for (const { out, socket, expected } of sessions) {
        out.flush();
        assert.equal(out.hasText, false);
        socket.isSlow = false;
        // What is given next comes in turns of their own.
        for (let quiet = 0; quiet < 3; quiet = socket.take() ? 0 : quiet + 1) await new Promise((resolve) => setImmediate(resolve));
        assert.equal(socket.heard.length, expected.length);
        assert.ok(socket.heard === expected);
        assert.equal(out.pending, 0);
      }
    }),
    { seed: 3, numRuns: 150 },
  );
});
