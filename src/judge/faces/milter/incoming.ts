/** The message another mail server shows us, put together again from header fields and body chunks. */
import { messageOf } from '../../../mail/edited-message.ts';
import type { MessageView } from '../../../ports.ts';
import { SpooledBody } from '../../milter/body.ts';
import { FACE_LIMITS } from './limits.ts';

export class IncomingMessage {
  /** Names of the fields, in their order and in lower case. */
  readonly names: string[] = [];
  readonly body: SpooledBody;
  /** Why it cannot be judged, once that is so; the rest is not kept. */
  problem: string | null = null;
  readonly #fields: string[] = [];
  #headerBytes = 0;

  constructor(bytesMax: number, tempDir: string) {
    this.body = new SpooledBody(bytesMax, tempDir);
  }

  /** `value` as it came: one character per byte, folds as line feeds, with its leading white space or (Sendmail before 8.14) without. */
  addHeader(name: string, value: string, hasLeadingSpace: boolean): void {
    if (this.problem !== null) return;
    const field = `${name}:${hasLeadingSpace ? '' : ' '}${value.includes('\n') ? value.replace(/\r?\n/g, '\r\n') : value}\r\n`;
    this.#headerBytes += field.length;
    if (this.#headerBytes > FACE_LIMITS.headerBytesMax) {
      this.problem = `the header is larger than ${FACE_LIMITS.headerBytesMax} bytes`;
      return;
    }
    this.#fields.push(field);
    this.names.push(name.toLowerCase());
  }

  /** `chunk` is kept: it must be memory of its own. */
  addBody(chunk: Buffer): void | Promise<void> {
    if (this.problem !== null || chunk.length === 0) return;
    const problem = this.body.add(chunk);
    if (problem instanceof Promise) {
      return problem.then((text) => {
        this.problem = text;
      });
    }
    this.problem = problem;
  }

  view(): MessageView {
    return messageOf(Buffer.from(`${this.#fields.join('')}\r\n`, 'latin1'), this.body);
  }

  release(): void {
    this.body.release();
  }
}
