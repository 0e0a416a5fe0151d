/** One configured milter in this thread: its settings, its connections at rest, and what is known of its health. */
import type { IdleSweeper } from '../../net/idle.ts';
import { COMMAND } from '../../wire/milter/codes.ts';
import { packet } from '../../wire/milter/packet.ts';
import { type MilterConnection, openConnection, type Trouble, trouble } from './connection.ts';
import { CLIENT_LIMITS } from './limits.ts';
import type { MilterSettings } from './settings.ts';
import type { DefaultAction, MilterSpec } from './specification.ts';

const QUIT = packet(COMMAND.quit);
const QUIT_NEW_CONNECTION = packet(COMMAND.quitNewConnection);

export class Milter {
  readonly name: string;
  readonly defaultAction: DefaultAction;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly contentTimeoutMs: number;
  readonly #spec: MilterSpec;
  readonly #idle: IdleSweeper;
  readonly #resting: MilterConnection[] = [];
  #restsUntil = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(spec: MilterSpec, settings: MilterSettings, idle: IdleSweeper) {
    this.name = spec.name;
    this.defaultAction = spec.defaultAction ?? settings['milter.defaultAction'];
    this.connectTimeoutMs = spec.connectTimeoutMs ?? settings['milter.connectTimeout'];
    this.commandTimeoutMs = spec.commandTimeoutMs ?? settings['milter.commandTimeout'];
    this.contentTimeoutMs = spec.contentTimeoutMs ?? settings['milter.contentTimeout'];
    this.#spec = spec;
    this.#idle = idle;
  }

  /** A connection that rested, when there is one. */
  take(): MilterConnection | null {
    const connection = this.#resting.pop();
    if (connection === undefined) return null;
    connection.onTrouble = null;
    connection.deadline = Number.POSITIVE_INFINITY;
    return connection;
  }

  async open(): Promise<MilterConnection | Trouble> {
    if (this.#idle.now < this.#restsUntil) return trouble('unreachable', 'it did not answer a moment ago');
    const connection = await openConnection(this.#spec.place, this.connectTimeoutMs, this.#idle);
    if (connection.kind === 'trouble' && connection.code === 'timeout') this.#restsUntil = this.#idle.now + CLIENT_LIMITS.restMs;
    return connection;
  }

  /** An SMTP session ended with this connection in order. */
  giveBack(connection: MilterConnection): void {
    connection.sessions += 1;
    const mayRest =
      this.#spec.isReused &&
      !this.#isClosed &&
      connection.options.version >= 6 &&
      connection.sessions < CLIENT_LIMITS.sessionsMax &&
      this.#resting.length < CLIENT_LIMITS.idleConnectionsMax;
    if (!mayRest || connection.trouble !== null || connection.hasUnread) {
      connection.end(QUIT);
      return;
    }
    connection.write(QUIT_NEW_CONNECTION, this.commandTimeoutMs);
    connection.deadline = this.#idle.now + CLIENT_LIMITS.idleMs;
    connection.onTrouble = () => {
      const at = this.#resting.indexOf(connection);
      if (at !== -1) this.#resting.splice(at, 1);
    };
    this.#resting.push(connection);
  }

  get restingCount(): number {
    return this.#resting.length;
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#resting.splice(0)) connection.end(QUIT);
  }
}
