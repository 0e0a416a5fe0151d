/** Bounds of name lookups, with their reasons. */
export const DNS_LIMITS = {
  /** RFC 1035 section 2.3.4, in wire form. */
  nameBytes: 255,
  labelBytes: 63,
  /** Announced by EDNS: fits every path unfragmented. */
  udpBytes: 1232,
  /** Larger datagrams are not looked at, whatever we announced. */
  udpBytesMax: 4096,
  /** Records read of one section; DNSBLs and mail domains have a handful. */
  sectionRecords: 400,
  /** Records of one answer that callers see. */
  answerRecords: 100,
  /** Aliases followed within one response. */
  chainLength: 12,
  /** Further questions asked for an alias whose target the response left out. */
  aliasQuestions: 4,
  /** Strings of one TXT record. */
  textStrings: 260,
  /** UDP sockets for each server, each with a port of its own; how many questions and how long each one lives. */
  sockets: 8,
  socketQuestions: 512,
  socketMs: 60_000,
  /** Datagrams that answer no question of ours: after so many a socket is given up. */
  socketStrays: 32,
  /** Questions on one TCP connection at a time, and how long it is kept without any (RFC 7766 section 6.2.3). */
  tcpQuestions: 200,
  tcpIdleMs: 5_000,
  /** Consecutive silences before a server counts as dead, and for how long others are asked first. */
  serverSilences: 3,
  serverDeadMs: 30_000,
  /** A dead name server is not asked again for each of a thousand recipients. */
  failureMs: 5_000,
  /** Absence without SOA may not be kept for long (RFC 2308 section 5), but a flood need not ask each time. */
  negativeWithoutSoaSeconds: 30,
} as const;
