/** A user agent of one's own for tests: temporary homes under a passwd file that knows real system users. Root only. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultsOf } from '../../system/declare.ts';
import { SIEVE_SETTINGS } from '../filters/sieve/settings.ts';
import { connectUserAgent, sourceOf, type UserAgentClient } from './client.ts';
import { LOCAL_SETTINGS, type LocalSettings, localConfiguration } from './settings.ts';
import { helperOptions, startUserAgent, type UserAgentHandle } from './start.ts';
import type { DeliveryAnswer, DeliveryTask, LocalConfiguration } from './types.ts';

export const GAMES = { uid: 5, gid: 60 } as const;
export const NEWS = { uid: 9, gid: 9 } as const;

export interface Bench extends AsyncDisposable {
  readonly folder: string;
  /** Of games. */
  readonly home: string;
  readonly key: string;
  readonly handle: UserAgentHandle;
  readonly client: UserAgentClient;
  readonly configuration: LocalConfiguration;
  task(work: DeliveryTask['work'], over?: Partial<DeliveryTask>): DeliveryTask;
  /** To the user games, unless `work` says otherwise. CRLF is made of LF in `message`. */
  deliver(message: string, over?: Partial<DeliveryTask>, settings?: Partial<LocalConfiguration>): Promise<DeliveryAnswer>;
  /** A file in the home of games, owned by games. */
  put(name: string, text: string, mode?: number): string;
}

export async function userAgentBench(settings: Partial<LocalSettings> = {}): Promise<Bench> {
  const s = { ...defaultsOf(LOCAL_SETTINGS), ...defaultsOf(SIEVE_SETTINGS), 'local.uidMin': 1, 'local.workersIdle': 0, ...settings } as LocalSettings &
    ReturnType<typeof defaultsOf<typeof SIEVE_SETTINGS>>;
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-agent-'));
  chmodSync(folder, 0o755);
  const home = join(folder, 'games');
  const homes: Record<string, string> = { games: home, news: join(folder, 'news') };
  for (const [name, { uid, gid }] of [
    ['games', GAMES],
    ['news', NEWS],
  ] as const) {
    mkdirSync(homes[name]!, { mode: 0o700 });
    chownSync(homes[name]!, uid, gid);
  }
  writeFileSync(
    join(folder, 'passwd'),
    [
      'root:x:0:0::/root:/bin/sh',
      `games:x:5:60::${homes['games']}:/bin/sh`,
      `news:x:9:9::${homes['news']}:/bin/sh`,
      'nobody:x:65534:65534::/nonexistent:/bin/sh',
      '',
    ].join('\n'),
  );
  const key = 'ab'.repeat(32);
  const socketPath = join(folder, 'agent');
  const handle = startUserAgent(helperOptions(s, { socketPath, key, owner: null, passwdFile: join(folder, 'passwd') }));
  await handle.ready;
  const client = connectUserAgent({ socketPath, key });
  const configuration = localConfiguration(s, { hostname: 'mx.example.org', domain: 'example.org', recipientDelimiter: '+' });
  const address = (local: string) => ({ local, domain: 'example.org' });
  const task = (work: DeliveryTask['work'], over: Partial<DeliveryTask> = {}): DeliveryTask => ({
    id: '0000000000000001',
    at: Date.UTC(2026, 0, 5, 6, 7, 8),
    sender: { local: 'sender', domain: 'far.test' },
    recipient: address('games'),
    final: address('games'),
    detail: null,
    orcpt: null,
    helo: 'far.test',
    clientIp: '192.0.2.1',
    clientName: 'far.test',
    work,
    spam: null,
    virus: 0,
    configuration,
    ...over,
  });
  return {
    folder,
    home,
    key,
    handle,
    client,
    configuration,
    task,
    deliver: (message, over = {}, changed = {}) =>
      client.deliver(
        task({ kind: 'user', user: 'games', detail: over.detail ?? null }, { configuration: { ...configuration, ...changed }, ...over }),
        sourceOf(Buffer.from(message.replaceAll('\n', '\r\n'))),
        new AbortController().signal,
      ),
    put: (name, text, mode = 0o600) => {
      const path = join(home, name);
      writeFileSync(path, text);
      chownSync(path, GAMES.uid, GAMES.gid);
      chmodSync(path, mode);
      return path;
    },
    [Symbol.asyncDispose]: async () => {
      client.close();
      await handle.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
