/** Bounds of the door, with their reasons. */
export const DOOR_LIMITS = {
  /** Lists asked for one client; each costs a packet. */
  zones: 64,
  /** Octets of a list's explanation that go into a reply. */
  reasonChars: 200,
  /** Consecutive failures after which a list is left out, and for how long. */
  listFailures: 5,
  listPauseMs: 60_000,
  /** A list that refuses this resolver will do so for longer. */
  listRefusalPauseMs: 10 * 60_000,
  /** One log event of a kind for each list in so long. */
  listEventMs: 60_000,
  /** Clients that passed, in the memory of one thread. The store has the others. */
  passedInMemory: 20_000,
  /** Early talkers remembered in one thread. */
  earlyInMemory: 20_000,
  /** What passed is written after so long, or when so much has gathered; no write has more, so that deliveries beside it do not wait. */
  writeMs: 5_000,
  writeClients: 200,
  /** Clients that wait to be written while the store is slow. */
  unwritten: 5_000,
  /** Rows removed by one write, so that it stays short. */
  prunedRows: 500,
  /** Tick of the clock for greetings and list timeouts. */
  tickMs: 50,
} as const;
