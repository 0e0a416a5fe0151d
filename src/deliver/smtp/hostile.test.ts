/** Whatever a server says: every recipient gets exactly one outcome, and nothing throws. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { engage, testJob, testOptions } from '../testing.ts';
import { OpenFailure, openEndpoint } from './open.ts';

const line = fc.oneof(
  fc.constantFrom(
    '250 ok',
    '250-more',
    '354 go',
    '550 5.1.1 no',
    '421 bye',
    '451 later',
    '220 hi',
    '',
    'x',
    '250',
    '2',
    '999 no',
    '503 bad',
    '250 PIPELINING',
    '250-CHUNKING',
    '452 4.5.3 many',
  ),
  fc.string({ maxLength: 40 }),
);

test('random servers cannot make the client hang, throw or lose a recipient', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), fc.boolean(), async (lines, each, isPolite) => {
      const server = createServer((socket) => {
        const left = [...(isPolite ? ['220 hi', '250-mx\r\n250 PIPELINING'] : []), ...lines];
        socket.on('error', () => {});
        const say = (): void => {
          const part = left.splice(0, each);
          if (part.length === 0) socket.destroy();
          else socket.write(`${part.join('\r\n')}\r\n`);
        };
        // Talks on whether asked or not, so that no half a reply is waited for; in the end it hangs up.
        const talk = setInterval(say, 1);
        socket.on('close', () => clearInterval(talk));
        socket.on('data', say);
        say();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      try {
        const connection = await openEndpoint(
          { host: '127.0.0.1', ip: '127.0.0.1', port, path: null },
          testOptions({ tls: 'none' }),
          AbortSignal.timeout(10_000),
        );
        const jobs = [testJob(['a@them.test', 'b@them.test']), testJob(['c@them.test'])];
        const { outcomes } = await engage(connection, jobs);
        for (const [i, fates] of outcomes.entries()) {
          assert.equal(fates.length, jobs[i]!.recipients.length);
          for (const fate of fates) assert.ok(fate !== null && /^[245]\.\d+\.\d+$/.test(fate.enhanced), JSON.stringify(fate));
        }
        connection.abort('over');
      } catch (error) {
        if (!(error instanceof OpenFailure)) throw error;
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    }),
    { seed: 20, numRuns: Number(process.env.FUZZ_RUNS ?? 200) },
  );
});
