/** The faces by which other mail servers borrow the judge: a policy server for Postfix, a milter. Loaded only when they are listened for. */
import { join } from 'node:path';
import type { ThreadJudge } from '../judge/judge.ts';
import { judgeMessage } from '../judge/message.ts';
import type { Thread } from './start.ts';

export interface Faces {
  close(): Promise<void>;
}

/** null when there is nothing to listen for. Rejects when an address cannot be had. */
export async function openFaces(judge: ThreadJudge, thread: Thread): Promise<Faces | null> {
  const settings = thread.settings();
  const { log, metrics } = thread;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closers.map((one) => one()));
  };
  try {
    if (settings['face.policyListen'].length > 0) {
      const { startPolicyFace } = await import('../judge/faces/policy/server.ts');
      const { greylist, rates, authenticity } = judge.context;
      const face = await startPolicyFace({
        listen: settings['face.policyListen'],
        greylist,
        rates,
        spf: (input) => authenticity.spf(input.ip, input.helo, input.sender),
        log,
        metrics,
        settings: thread.settings,
        hostname: settings.hostname,
        now: thread.now,
      });
      closers.push(() => face.stop());
    }
    if (settings['face.milterListen'].length > 0) {
      const { startMilterFace } = await import('../judge/faces/milter/face.ts');
      const face = await startMilterFace({
        listen: settings['face.milterListen'],
        judge: (input) => judgeMessage(judge, input),
        log,
        metrics,
        settings: thread.settings,
        newId: thread.newId,
        now: thread.now,
        tempDir: join(settings.dataDir, 'tmp'),
      });
      closers.push(() => face.close());
    }
  } catch (error) {
    await close();
    throw error;
  }
  return closers.length === 0 ? null : { close };
}
