/** What milters are told about a connection and its transaction. The SMTP session implements it; everything is read when it is sent. */
import type { Address, Client } from '../../ports.ts';

export interface MilterFacts {
  /** Id of the SMTP session, for the log. */
  readonly session: string;
  readonly client: Client;
  /** The name in DNS of the client's address, verified or not; null when there is none. `client.name` is the verified one. */
  readonly clientPtr: string | null;
  /** Connections of this client's address that are open now, this one included. */
  readonly clientConnections: number;
  /** Where the client connected to. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly helo: string | null;
  /** "SMTP", "ESMTPS" … as in Received. */
  readonly protocol: string;
  readonly tls: MilterTls | null;
  readonly auth: MilterAuth | null;
  /** The queue id of the message, when there is one already. */
  readonly queueId: string | null;
  /** Where mail for an address goes: host of the next hop and the word for its transport. Left out: its domain, and "smtp". */
  route?(address: Address): { readonly host: string; readonly mailer: string };
}

export interface MilterTls {
  readonly version: string;
  readonly cipher: string;
  readonly bits: number;
  /** Of a verified client certificate. */
  readonly certSubject?: string | null;
  readonly certIssuer?: string | null;
}

export interface MilterAuth {
  /** SASL mechanism. */
  readonly type: string;
  readonly authen: string;
  /** The identity acted for (AUTH= of MAIL), when it is another. */
  readonly author?: string | null;
  readonly ssf?: number;
}
