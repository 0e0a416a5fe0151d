/** For tests: a milter that answers by a script, a chain in front of it, and the facts of a session. */
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { messageInMemory } from '../../mail/edited-message.ts';
import type { IdleSweeper } from '../../net/idle.ts';
import type { MessageView } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import { type MilterCommand, parseCommand } from '../../wire/milter/command.ts';
import { NO_MACRO_LISTS, type Options } from '../../wire/milter/negotiate.ts';
import { PacketReader } from '../../wire/milter/packet.ts';
import { type MilterResponse, writeResponse } from '../../wire/milter/response.ts';
import { createMilters, type MilterChain } from './chain.ts';
import type { MilterFacts } from './facts.ts';
import { MILTER_SETTINGS, type MilterSettings } from './settings.ts';

/** What the milter answers to a command: responses, nothing, or 'close'. */
export type Script = (command: MilterCommand, socket: Socket) => readonly MilterResponse[] | 'close';

export interface ScriptedMilter {
  readonly port: number;
  /** Commands in the order they came, of all connections. */
  readonly seen: MilterCommand[];
  readonly connections: () => number;
  close(): Promise<void>;
}

/** By default "continue" to all that needs an answer. */
export const CONTINUE_ALL: Script = (command) =>
  command.kind === 'macro' || command.kind === 'abort' || command.kind === 'quit' || command.kind === 'quitNewConnection' ? [] : [{ kind: 'continue' }];

export async function scriptedMilter(options: Partial<Options> = {}, script: Script = CONTINUE_ALL): Promise<ScriptedMilter> {
  const seen: MilterCommand[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    const reader = new PacketReader();
    socket.on('error', () => {}); // The client may go at any time; that is what some tests are about.
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      reader.push(chunk as Buffer);
      for (let packet = reader.next(); packet !== null; packet = reader.next()) {
        const command = parseCommand(packet)!;
        seen.push(command.kind === 'body' ? { kind: 'body', chunk: Buffer.from(command.chunk) } : command);
        const scripted = script(command, socket);
        const answer: readonly MilterResponse[] | 'close' =
          command.kind === 'negotiate' && scripted !== 'close' && scripted[0]?.kind === 'continue'
            ? [{ kind: 'negotiate', options: { version: 6, actions: 0x1ff, steps: 0, macros: NO_MACRO_LISTS, ...options } }]
            : scripted;
        if (answer === 'close') socket.destroy();
        else if (answer.length > 0) socket.write(Buffer.concat(answer.map(writeResponse)));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    seen,
    connections: () => connections,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export interface Logged {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A chain of these milters; `log` receives what it logs. */
export function chainOf(
  milters: readonly string[],
  more: { settings?: Partial<MilterSettings>; log?: Logged[]; idle?: IdleSweeper; tempDir?: string } = {},
): MilterChain {
  const add = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    more.log?.push({ event, fields });
  };
  return createMilters(
    { ...defaultsOf(MILTER_SETTINGS), 'milter.milters': milters, ...more.settings },
    {
      log: { debug: add, info: add, warn: add, error: add },
      metrics: { count() {}, gauge() {} },
      hostname: 'mx.us.test',
      domain: 'us.test',
      version: '9.9',
      tempDir: more.tempDir ?? tmpdir(),
      idle: more.idle,
    },
  );
}

export const FACTS: MilterFacts = {
  session: 'session-1',
  client: { ip: '192.0.2.20', port: 4000, name: 'client.test' },
  clientPtr: 'client.test',
  clientConnections: 1,
  localAddress: '192.0.2.1',
  localPort: 25,
  helo: 'client.test',
  protocol: 'ESMTP',
  tls: null,
  auth: null,
  queueId: 'q1',
};

/** Lines with LF as a message in memory. */
export function messageOfText(text: string): MessageView {
  const bytes = Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1');
  const blank = bytes.indexOf('\r\n\r\n');
  return messageInMemory(bytes, blank === -1 ? bytes.length : blank + 4);
}
