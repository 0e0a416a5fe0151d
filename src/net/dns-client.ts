/**
 * A stub resolver: carries a question to the name servers, one after the other, until one answers or the time is over.
 * UDP first, TCP when the answer was cut; servers that keep silent are asked last for a while.
 */
import { Resolver } from 'node:dns';
import { isIP } from 'node:net';
import { DNS_LIMITS } from './dns-limits.ts';
import { type Question, readResponse, writeQuestion } from './dns-message.ts';
import { RandomPool } from './dns-random.ts';
import type { DnsSettings } from './dns-settings.ts';
import { TcpChannel } from './dns-tcp.ts';
import type { DnsResponse, DnsTransport, DnsType } from './dns-types.ts';
import { type Endpoint, UdpPool } from './dns-udp.ts';
import { Wheel } from './wheel.ts';

const TICK_MS = 20;
const FORMERR = 1;
const NOTIMP = 4;

interface Server {
  readonly udp: UdpPool;
  readonly tcp: TcpChannel;
  /** Answered FORMERR or NOTIMP to a question with EDNS: asked without from then on (RFC 6891 section 7). */
  isPlain: boolean;
  silences: number;
  deadUntil: number;
}

/** Where to ask: `dns.servers`, or what the system says (/etc/resolv.conf), or this machine. */
export function serverEndpoints(configured: readonly string[]): Endpoint[] {
  const texts = configured.length > 0 ? configured : new Resolver().getServers();
  const endpoints = texts.map(endpointOf).filter((endpoint) => endpoint !== null);
  return endpoints.length > 0 ? endpoints : [{ address: '127.0.0.1', port: 53, family: 4 }];
}

function endpointOf(text: string): Endpoint | null {
  const match = /^(?:\[([^\]]+)\](?::(\d{1,5}))?|([^:]+):(\d{1,5}))$/.exec(text);
  const address = match === null ? text : (match[1] ?? match[3]!);
  const port = Number(match?.[2] ?? match?.[4] ?? 53);
  const family = isIP(address);
  return family === 0 ? null : { address, port, family: family === 4 ? 4 : 6 };
}

export class DnsClient implements DnsTransport {
  readonly #settings: DnsSettings;
  readonly #servers: Server[];
  readonly #wheel = new Wheel(TICK_MS);
  readonly #random = new RandomPool();
  #underWay = 0;
  #isClosed = false;

  constructor(settings: DnsSettings) {
    this.#settings = settings;
    this.#servers = serverEndpoints(settings['dns.servers']).map((endpoint) => ({
      udp: new UdpPool(endpoint, this.#wheel, this.#random),
      tcp: new TcpChannel(endpoint, this.#wheel, this.#random),
      isPlain: false,
      silences: 0,
      deadUntil: 0,
    }));
  }

  async ask(name: string, type: DnsType): Promise<DnsResponse> {
    if (this.#isClosed) return { kind: 'failed', reason: 'name lookups have ended', isOurs: true };
    if (this.#underWay >= this.#settings['dns.questionsMax']) return { kind: 'failed', reason: 'too many name lookups under way', isOurs: true };
    this.#underWay += 1;
    try {
      return await this.#carry(name, type);
    } finally {
      this.#underWay -= 1;
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const server of this.#servers) {
      server.udp.close();
      server.tcp.close();
    }
    this.#wheel.stop();
  }

  async #carry(name: string, type: DnsType): Promise<DnsResponse> {
    const deadline = performance.now() + this.#settings['dns.deadline'];
    let worst: DnsResponse = { kind: 'failed', reason: 'name server did not answer in time' };
    for (let attempt = 0; attempt < this.#settings['dns.tries']; attempt += 1) {
      for (const server of this.#order()) {
        const leftMs = deadline - performance.now();
        if (leftMs <= 0 || this.#isClosed) return worst;
        const response = await this.#askServer(server, name, type, Math.min(leftMs, this.#settings['dns.timeout']));
        if (response.kind === 'response' && (response.rcode === 0 || response.rcode === 3)) return response;
        // A server that spoke, if only to refuse, tells more than one that kept silent.
        if (worst.kind === 'failed') worst = response;
      }
      // Refusals do not change by asking again; silence may.
      if (worst.kind === 'response') return worst;
    }
    return worst;
  }

  /** The servers as configured, those thought dead last. */
  #order(): readonly Server[] {
    if (this.#servers.length === 1) return this.#servers;
    const now = performance.now();
    if (this.#servers.every((server) => server.deadUntil <= now)) return this.#servers;
    return [...this.#servers].sort((a, b) => Number(a.deadUntil > now) - Number(b.deadUntil > now));
  }

  async #askServer(server: Server, name: string, type: DnsType, waitMs: number): Promise<DnsResponse> {
    const withEdns = !server.isPlain;
    const response = await this.#exchange(server, writeQuestion(name, type, withEdns, this.#caseBits), waitMs);
    if (!withEdns || response.kind === 'failed' || (response.rcode !== FORMERR && response.rcode !== NOTIMP)) return response;
    const plain = await this.#exchange(server, writeQuestion(name, type, false, this.#caseBits), waitMs);
    if (plain.kind === 'response' && plain.rcode !== FORMERR && plain.rcode !== NOTIMP) server.isPlain = true;
    return plain;
  }

  async #exchange(server: Server, question: Question, waitMs: number): Promise<DnsResponse> {
    const start = performance.now();
    const byUdp = await server.udp.ask(question, waitMs);
    const result = byUdp.kind === 'useTcp' ? await server.tcp.ask(question, Math.max(TICK_MS, waitMs - (performance.now() - start))) : byUdp;
    if (result.kind === 'response') {
      server.silences = 0;
      server.deadUntil = 0;
      return readResponse(result.bytes, question.end) ?? { kind: 'failed', reason: 'name server sent nonsense' };
    }
    server.silences += 1;
    if (server.silences >= DNS_LIMITS.serverSilences) server.deadUntil = performance.now() + DNS_LIMITS.serverDeadMs;
    return { kind: 'failed', reason: result.kind === 'silent' ? 'name server did not answer in time' : 'name server cannot be reached' };
  }

  readonly #caseBits = (): number => this.#random.next();
}
