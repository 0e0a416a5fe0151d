/**
 * npm run stress -- [--minutes 5] [--clients 30] [--seed N] [--kills 3] [--loops 2] [--shake] [--restless]
 *
 * Many clients on shared mailboxes do random legal things; a model of each checks every response. The server is killed now and then.
 * On a broken rule: the rule, the seed, what was said last, and exit code 1.
 */
import { parseArgs } from 'node:util';
import { ownNetwork } from './harness/own-network.ts';
import { programOwner } from './harness/temp.ts';
import { runStress } from './stress/run.ts';

ownNetwork();
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    clients: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    kills: { type: 'string', default: '3' },
    loops: { type: 'string', default: '2' },
    shake: { type: 'boolean', default: false },
    restless: { type: 'boolean', default: false },
  },
});
const owner = programOwner();
let isGood = false;
try {
  console.log(`seed ${values.seed}`);
  const { violation, ...counts } = await runStress(owner, {
    seconds: Number(values.minutes) * 60,
    clients: Number(values.clients),
    seed: Number(values.seed),
    kills: Number(values.kills),
    loops: Number(values.loops),
    isShaken: values.shake,
    isRestless: values.restless,
    say: (text) => console.log(text),
  });
  console.log(
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  );
  if (violation !== null) console.log(`VIOLATION ${violation}`);
  isGood = violation === null;
} finally {
  await owner.end();
}
process.exit(isGood ? 0 : 1);
