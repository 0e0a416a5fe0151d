/** Listens for mail servers that want our verdict by the milter protocol. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { formatListenAddress, parseListenAddress } from '../../../net/address.ts';
import { idle as threadIdle } from '../../../net/idle.ts';
import type { MilterFaceSettings } from './settings.ts';
import { type FaceService, FaceSession } from './session.ts';

export interface MilterFaceOptions extends Omit<FaceService, 'idle'> {
  /** Addresses as `face.milterListen` has them. */
  readonly listen: readonly string[];
  readonly idle?: FaceService['idle'];
}

export interface MilterFace {
  /** Where it listens, with the ports the system chose. */
  readonly addresses: readonly string[];
  /** Stops listening and closes all connections; the mail servers' default action decides about what was under way. */
  close(): Promise<void>;
}

/** Rejects when an address cannot be listened on. */
export async function startMilterFace(options: MilterFaceOptions): Promise<MilterFace> {
  const service: FaceService = { ...options, idle: options.idle ?? threadIdle };
  const sessions = new Set<FaceSession>();
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    for (const session of sessions) session.end();
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  };
  const addresses: string[] = [];
  try {
    for (const text of options.listen) {
      const server = createServer((socket) => {
        const settings: MilterFaceSettings = service.settings();
        if (sessions.size >= settings['face.milterConnectionsMax']) {
          service.log.warn('face.milter.refused', { cause: 'too many connections' });
          socket.destroy();
          return;
        }
        const session: FaceSession = new FaceSession(socket, service, () => sessions.delete(session));
        sessions.add(session);
      });
      servers.push(server);
      addresses.push(await listen(server, text));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses, close };
}

async function listen(server: Server, text: string): Promise<string> {
  const address = parseListenAddress(text);
  if (address === null) throw new Error(`face.milterListen: "${text}" is no address`);
  if (address.kind === 'unix') removeStale(address.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  // Accepting can fail later for want of file descriptors; the next attempt may succeed, and the mail server tries again.
  server.on('error', () => {});
  if (address.kind === 'unix') {
    // The mail server runs as a user of its own; who may pass through the folder may ask.
    chmodSync(address.path, 0o666);
    return text;
  }
  const bound = server.address();
  return bound === null || typeof bound === 'string' ? text : formatListenAddress(bound.address, bound.port);
}

/** A socket file that a crash left behind. */
function removeStale(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(path);
}
