/** Entry of the helper process. Its parent speaks on descriptor 3: the options first, and when that closes, all is over. */
import { Socket } from 'node:net';
import { codeFolder } from './code-cache.ts';
import { closeInherited } from './descriptors.ts';
import { FrameParser, frameHead } from './frame.ts';
import { type HelperOptions, serveUserAgent } from './helper.ts';

const parent = new Socket({ fd: 3, readable: true, writable: true });
process.umask(0o077);
closeInherited(3);
// What workers may hand to users' programs was chosen by the parent; the rest of its environment never came here.
const environment = { ...process.env } as Record<string, string>;
const code = codeFolder();
if (code !== null) environment['NODE_COMPILE_CACHE'] = code; // the workers take it out again

const parser = new FrameParser({
  head(head) {
    serveUserAgent(head as HelperOptions, environment).then(
      (server) => {
        server.on('error', (error) => fail(error));
        parent.write(frameHead({ kind: 'ready' }, 0));
      },
      (error: unknown) => fail(error),
    );
  },
  body() {},
  end() {},
});

function fail(error: unknown): void {
  process.stderr.write(`user agent: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

parent.on('data', (chunk: Buffer) => parser.push(chunk));
// Workers see their own channels close and end, with what they started.
parent.on('close', () => process.exit(0));
parent.on('error', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
