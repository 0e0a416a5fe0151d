/** The worker thread behind hash-pool.ts: one request in, one hash out, in order. */
import { parentPort } from 'node:worker_threads';
import { bcrypt } from './bcrypt.ts';
import { md5Crypt, shaCrypt } from './crypt.ts';
import type { SlowHashAnswer, SlowHashRequest } from './hash-pool.ts';

parentPort?.on('message', ({ id, password, stored }: SlowHashRequest) => {
  const bytes = Buffer.from(password);
  const hash = md5Crypt(bytes, stored) ?? shaCrypt(bytes, stored) ?? bcrypt(bytes, stored) ?? '';
  parentPort?.postMessage({ id, hash } satisfies SlowHashAnswer);
});
