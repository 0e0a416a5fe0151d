/** The thread of a Pinger. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { ImapClient } from '../harness/imap-client.ts';
import type { PingerData, Question } from './pinger.ts';

const { port, user, password } = workerData as PingerData;
const client = await ImapClient.login(port, user, password);
const asked: { readonly question: Question; readonly from: number }[] = [];
let answers = 0;
let longestMs = 0;
let lapAnswers = 0;
let lapMs = 0;
let isOver = false;

parentPort!.on('message', (question: Question) => asked.push({ question, from: answers }));

function answer(): void {
  for (let first = asked[0]; first !== undefined && answers >= first.from + 2; first = asked[0]) {
    asked.shift();
    const isLap = first.question === 'lap';
    parentPort!.postMessage(isLap ? { answers: answers - lapAnswers, longestMs: lapMs } : { answers, longestMs });
    if (isLap) {
      lapAnswers = answers;
      lapMs = 0;
    }
    isOver ||= first.question === 'stop';
  }
}

while (!isOver) {
  const sentAt = performance.now();
  const { status } = await client.command('NOOP');
  assert.match(status, /^OK/);
  answers += 1;
  const tookMs = performance.now() - sentAt;
  longestMs = Math.max(longestMs, tookMs);
  lapMs = Math.max(lapMs, tookMs);
  // Records of what was said would grow without end.
  client.wire.transcript.length = 0;
  answer();
  // Questions come as messages, which have no turn while promises follow each other.
  await new Promise((resolve) => setImmediate(resolve));
}
await client.logout();
parentPort!.close();
