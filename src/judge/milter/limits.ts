/** Every bound of the milter client, with its reason. */
export const CLIENT_LIMITS = {
  /** Changes one milter may ask for in one message; each costs a pass over the header. */
  changesMax: 1000,
  /** Header bytes that one milter may add in one message. */
  changedHeaderBytesMax: 1024 * 1024,
  /** Answers waiting to be read before the socket is paused; in a sane conversation one. */
  answersMax: 64,
  /** Replacement bodies up to this are held in memory, longer ones in a file. */
  bodyInMemoryBytes: 256 * 1024,
  /** Idle connections kept for each milter, and for how long: milters are threads or processes that wait. */
  idleConnectionsMax: 20,
  idleMs: 30_000,
  /** SMTP sessions that one connection serves: what a milter may leak is bounded. */
  sessionsMax: 200,
  /** After a connection attempt that timed out, the milter is not tried again for so long: every session would wait. */
  restMs: 10_000,
  /** Bytes kept for saying them again on a fresh connection when a kept one turns out to be closed. */
  replayBytesMax: 64 * 1024,
  /** Header packets gathered before they are written. */
  batchBytes: 32 * 1024,
  milters: 20,
} as const;
