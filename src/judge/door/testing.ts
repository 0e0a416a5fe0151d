/** A door with a clock that tests move, name lookups from a table and a real store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createDns, type Dns } from '../../net/dns.ts';
import { DNS_SETTINGS } from '../../net/dns-settings.ts';
import { type FakeTransport, fakeTransport, type FakeZone } from '../../net/dns-testing.ts';
import { Wheel } from '../../net/wheel.ts';
import type { Log, Table, Tables } from '../../ports.ts';
import { type LocalStore, openLocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { createDoor, type JudgeDoor } from './door.ts';
import { DOOR_OPERATIONS } from './operations.ts';
import { DOOR_SETTINGS, type DoorSettings } from './settings.ts';

export interface DoorHouse {
  readonly door: JudgeDoor;
  /** Another one on the same store, as another thread has it, or this one after a restart. */
  another(): JudgeDoor;
  readonly dns: Dns;
  readonly transport: FakeTransport;
  readonly store: LocalStore;
  readonly wheel: Wheel;
  /** Names of log events, with their fields. */
  readonly events: [event: string, fields: Readonly<Record<string, unknown>>][];
  readonly counts: Map<string, number>;
  /** Moves the clock, and the hand of the wheel with it. */
  pass(ms: number): Promise<void>;
}

/** Lets everything run that waits for nothing but its turn. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function doorHouse(
  t: TestContext,
  settings: Partial<DoorSettings> = {},
  zone: FakeZone = {},
  tables: Readonly<Record<string, Table['find']>> = {},
): DoorHouse {
  const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-door-'));
  const clock = { now: 1_000_000_000_000 };
  const now = (): number => clock.now;
  const store = openLocalStore({ dataDir, settings: defaultsOf(STORE_SETTINGS), log: SILENT_LOG, now, operations: DOOR_OPERATIONS, journey: () => {} });
  const wheel = new Wheel(50, now);
  const transport = fakeTransport(zone);
  const dns = createDns(() => defaultsOf(DNS_SETTINGS), now, transport);
  const values: DoorSettings = { ...defaultsOf(DOOR_SETTINGS), 'smtp.relayFrom': [], ...settings };
  const events: DoorHouse['events'] = [];
  const counts = new Map<string, number>();
  const write = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => void events.push([event, fields]);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const opened: Tables = {
    open: (spec) => {
      const find = tables[spec];
      if (find === undefined) throw new Error(`no table ${spec}`);
      return { name: spec, kind: 'pattern', find };
    },
    close: () => {},
  };
  const make = (): JudgeDoor =>
    createDoor({
      settings: () => values,
      dns,
      tables: opened,
      log,
      metrics: { count: (name, by = 1, label) => void counts.set(`${name} ${label}`, (counts.get(`${name} ${label}`) ?? 0) + by), gauge: () => {} },
      reader: store.reader,
      writer: store.writer,
      now,
      wheel,
    });
  const door = make();
  t.after(async () => {
    wheel.stop();
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return {
    door,
    another: make,
    dns,
    transport,
    store,
    wheel,
    events,
    counts,
    pass: async (ms) => {
      clock.now += ms;
      wheel.turn();
      await settled();
    },
  };
}
