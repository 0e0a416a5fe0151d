/** /metrics for Prometheus and /healthz for load balancers, over plain HTTP on the addresses of listen.metrics. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseListenAddress, wrongListenAddress } from './listen-address.ts';

export interface Health {
  readonly isHealthy: boolean;
  /** A word or a sentence: "ready", "the store is not answering". */
  readonly detail: string;
}
export interface MetricsServer {
  /** Bound addresses with their real ports: "127.0.0.1:9100". */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

/** Starts listening. Rejects with a sentence that names the address when it is taken or not ours. */
export async function startMetricsServer(addresses: readonly string[], render: () => Promise<string>, health: () => Health): Promise<MetricsServer> {
  const servers: Server[] = [];
  const bound: string[] = [];
  const close = async (): Promise<void> => {
    const ends = servers.map((server) => new Promise((done) => server.close(done)));
    for (const server of servers) server.closeAllConnections();
    await Promise.all(ends);
  };
  for (const address of addresses) {
    const target = parseListenAddress(address);
    if (target === null) throw new Error(`${address} ${wrongListenAddress(address)}`);
    const server = createServer({ maxHeaderSize: 8192, requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 30_000 }, (request, response) => {
      const answer = (status: number, type: string, body: string): void => {
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
        response.end(request.method === 'HEAD' ? undefined : body);
      };
      if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'text/plain', 'GET only\n');
      const path = (request.url ?? '/').split('?', 1)[0];
      if (path === '/healthz') {
        const state = health();
        return answer(state.isHealthy ? 200 : 503, 'text/plain; charset=utf-8', `${state.detail}\n`);
      }
      if (path !== '/metrics') return answer(404, 'text/plain', 'Try /metrics or /healthz\n');
      render().then(
        (text) => answer(200, 'text/plain; version=0.0.4; charset=utf-8', text),
        (error: Error) => answer(500, 'text/plain; charset=utf-8', `${error.message}\n`),
      );
    });
    server.maxConnections = 50;
    try {
      await new Promise<void>((done, fail) => {
        server.once('error', fail);
        server.listen(target, () => done());
      });
    } catch (error) {
      await close();
      throw new Error(`The metrics address ${address} cannot be used: ${(error as Error).message}`, { cause: error });
    }
    servers.push(server);
    const real = server.address() as AddressInfo | string;
    bound.push(typeof real === 'string' ? `unix:${real}` : real.family === 'IPv6' ? `[${real.address}]:${real.port}` : `${real.address}:${real.port}`);
  }
  return { addresses: bound, close };
}
