/** For tests only: an authorization server on the loopback address, with keys, introspection and bad days. */
import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export class TestIssuer {
  readonly server: Server;
  url = '';
  /** What introspection answers, by token. */
  readonly known = new Map<string, Record<string, unknown>>();
  /** How often each path was asked. */
  readonly asked: Record<string, number> = {};
  /** Of the last question: its Authorization and its form. */
  authorization = '';
  form = new URLSearchParams();
  /** What is answered in place of the right thing. */
  mood: 'well' | 'error' | 'silent' | 'nonsense' | 'huge' | 'elsewhere' = 'well';
  #keys: { kid: string; alg: string; privateKey: CryptoKey; jwk: JWK }[] = [];

  constructor() {
    this.server = createServer((request, response) => {
      const path = request.url ?? '';
      this.asked[path] = (this.asked[path] ?? 0) + 1;
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        this.authorization = request.headers.authorization ?? '';
        this.form = new URLSearchParams(body);
        if (this.mood === 'silent') return;
        if (this.mood === 'error') response.writeHead(500).end();
        else if (this.mood === 'elsewhere') response.writeHead(302, { location: '/introspect2' }).end();
        else if (this.mood === 'nonsense') response.end('<html>');
        else if (this.mood === 'huge') response.end(JSON.stringify({ active: true, filler: 'x'.repeat(300_000) }));
        else if (path === '/keys') response.end(JSON.stringify(this.keySet()));
        else response.end(JSON.stringify(this.known.get(this.form.get('token') ?? '') ?? { active: false }));
      });
    });
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    const address = this.server.address();
    this.url = `http://127.0.0.1:${typeof address === 'object' ? address!.port : ''}`;
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  keySet(): { keys: JWK[] } {
    return { keys: this.#keys.map(({ jwk }) => jwk) };
  }

  /** A new key takes the place of the others. `kid` '': it has none. */
  async rotate(kid: string, alg = 'ES256'): Promise<void> {
    this.#keys = [];
    await this.addKey(kid, alg);
  }
  async addKey(kid: string, alg = 'ES256'): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), alg, use: 'sig', ...(kid === '' ? {} : { kid }) };
    this.#keys.push({ kid, alg, privateKey, jwk });
  }

  /** A token signed with the newest key; `header` and `claims` on top of the usual ones. */
  async sign(claims: Record<string, unknown>, header: Record<string, unknown> = {}, lifeSeconds = 3600): Promise<string> {
    const { kid, alg, privateKey } = this.#keys.at(-1)!;
    const now = Math.floor(Date.now() / 1000);
    const usual = { iss: 'https://login.example.org', aud: 'posthorn', exp: now + lifeSeconds, iat: now };
    return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg, ...(kid === '' ? {} : { kid }), ...header }).sign(privateKey);
  }
}
