/** One question to an authorization server: JSON in answer, within a time and a size, or a failure that is never a refusal. */
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { ANSWER_BYTES_MAX, CONNECTIONS_MAX, QUESTIONS_MAX } from './limits.ts';

export interface Question {
  readonly url: string;
  /** A form to be posted; left out: GET. */
  readonly form?: Readonly<Record<string, string>>;
  /** Name and secret of ours (RFC 6749 section 2.3.1). */
  readonly client?: { readonly id: string; readonly secret: string };
  readonly timeoutMs: number;
}

/** The authorization server could not be asked, or what it said is no answer. The message holds no token. */
export class IssuerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'IssuerError';
  }
}

/** Connections are kept open between questions. */
export class IssuerLink {
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  #waiting = 0;

  /** `ca`: PEM of the authorities that count; undefined for the usual ones. */
  constructor(ca: string | undefined) {
    const common = { keepAlive: true, maxSockets: CONNECTIONS_MAX, maxFreeSockets: 2, timeout: 60_000 };
    this.#agents = { http: new HttpAgent(common), https: new HttpsAgent({ ...common, ...(ca === undefined ? {} : { ca }) }) };
  }

  /** Rejects with IssuerError. Redirects are not followed: who answers is who was named. */
  async ask(question: Question): Promise<unknown> {
    const host = new URL(question.url).host;
    if (this.#waiting >= QUESTIONS_MAX) throw new IssuerError('too many tokens wait to be checked');
    this.#waiting += 1;
    try {
      const { status, body } = await this.#exchange(question);
      if (status !== 200) throw new IssuerError(`${host} answered ${status}`);
      return JSON.parse(body);
    } catch (cause) {
      if (cause instanceof IssuerError) throw cause;
      const why = cause instanceof SyntaxError ? 'it answered no JSON' : cause instanceof Error ? cause.message : String(cause);
      throw new IssuerError(`${host} cannot be asked: ${why}`);
    } finally {
      this.#waiting -= 1;
    }
  }

  #exchange(question: Question): Promise<{ status: number; body: string }> {
    const url = new URL(question.url);
    const body = question.form === undefined ? null : new URLSearchParams(question.form).toString();
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'Posthorn' };
    if (body !== null) headers['content-type'] = 'application/x-www-form-urlencoded';
    if (question.client !== undefined) headers['authorization'] = basic(question.client);
    const isHttps = url.protocol === 'https:';
    const options = {
      method: body === null ? 'GET' : 'POST',
      headers,
      agent: isHttps ? this.#agents.https : this.#agents.http,
      signal: AbortSignal.timeout(question.timeoutMs),
    };
    return new Promise((resolve, reject) => {
      const request = (isHttps ? httpsRequest : httpRequest)(url, options, (answer) => {
        readAnswer(answer).then((text) => resolve({ status: answer.statusCode ?? 0, body: text }), reject);
      });
      request.on('error', (error) => reject(error.name === 'AbortError' || error.name === 'TimeoutError' ? new Error('it took too long') : error));
      request.end(body ?? undefined);
    });
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}

async function readAnswer(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop destroys the connection.
    if (size > ANSWER_BYTES_MAX) throw new Error('its answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** RFC 6749 section 2.3.1: both are encoded as in a form before they are joined. */
function basic(client: { id: string; secret: string }): string {
  const encode = (value: string): string => new URLSearchParams({ v: value }).toString().slice(2);
  return `Basic ${Buffer.from(`${encode(client.id)}:${encode(client.secret)}`).toString('base64')}`;
}
