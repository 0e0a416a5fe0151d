/** What the policy remembers of one session between its questions. One object for each connection (and after XCLIENT or STARTTLS). */
import type { ClientNames, PolicyEffects } from './facts.ts';
import type { PolicyDns } from './ports.ts';

/** A temporary refusal that is kept in mind: it replaces what is decided later (defer_if_permit, defer_if_reject). */
export interface Deferral {
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
  readonly by: string;
}

/** One line of `posthorn explain`: what one restriction said. */
export interface TraceEntry {
  /** "client", "recipient" …: the list, or the class within it. */
  readonly list: string;
  /** As written: "check_client_access hash:/etc/postfix/access". */
  readonly restriction: string;
  readonly says: 'nothing' | 'permit' | 'refuse' | 'warning';
  /** The reply, the reason, or what an access table did. */
  readonly text: string;
}

/** What the client, HELO and sender lists said of this transaction, when that does not depend on the recipient. */
interface Earlier {
  readonly effects: PolicyEffects;
  readonly helo: string | null;
  readonly sender: string | null;
  readonly login: string | null;
}

export class SessionMemo {
  /** Instead of the policy's resolver: one that writes down what was said, or says again what was written down. */
  dns: PolicyDns | null = null;
  names: ClientNames | null = null;
  isInMynetworks: boolean | null = null;
  /** Of the client list, of HELO and the client list, of MAIL and those before. */
  clientDeferral: Deferral | null = null;
  heloDeferral: Deferral | null = null;
  senderDeferral: Deferral | null = null;
  isSenderChecked = false;
  earlier: Earlier | null = null;
  /** Set to an array to collect what each restriction says. */
  trace: TraceEntry[] | null = null;
}
