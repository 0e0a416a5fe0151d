/**
 * npm run torture -- [--kills 50] [--snapshots 30] [--seed N] [--clients 10] [--only kills|rules|power]
 *
 * Kills the server at random moments under load and checks that every acknowledged message is in exactly one place; does the same with Sieve, programs,
 * forwards and Maildirs in play (what is outside the store may be there twice);
 * then cuts the write-ahead log of copies at random bytes and checks that nothing synced is missing.
 */
import { parseArgs } from 'node:util';
import { ownNetwork } from './harness/own-network.ts';
import { programOwner } from './harness/temp.ts';
import { runKills } from './torture/kills.ts';
import { runPowerCuts } from './torture/power.ts';

ownNetwork();
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    snapshots: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    clients: { type: 'string', default: '10' },
    only: { type: 'string' },
  },
});
const owner = programOwner();
const say = (text: string): void => console.log(text);
const seed = Number(values.seed);
let faults = 0;
try {
  say(`seed ${seed}`);
  for (const part of ['kills', 'rules'] as const) {
    if (values.only !== undefined && values.only !== part) continue;
    const balance = await runKills(owner, { kills: Number(values.kills), seed, clients: Number(values.clients), say, hasRules: part === 'rules' });
    const { acknowledged, pending, refused, duplicatesAtSink } = balance;
    say(
      `${values.kills} kills (${part}): ${acknowledged} acknowledged, ${pending} without an answer, ${refused} refused, ${duplicatesAtSink} duplicates outside the store`,
    );
    if (part === 'rules') say([...balance.ruled].map(([recipient, count]) => `${recipient} ${count}`).join(', '));
    for (const fault of balance.faults.slice(0, 50)) say(`FAULT ${fault}`);
    faults += balance.faults.length;
    await owner.end();
  }
  if (values.only === undefined || values.only === 'power') {
    const result = await runPowerCuts(owner, { snapshots: Number(values.snapshots), cutsEach: 10, seed, say });
    say(`${result.cuts} cuts of the write-ahead log, ${result.skipped} snapshots skipped`);
    for (const fault of result.faults.slice(0, 50)) say(`FAULT ${fault}`);
    faults += result.faults.length;
  }
} finally {
  await owner.end();
}
say(faults === 0 ? 'the ledger balances' : `${faults} faults; repeat with --seed ${seed}`);
process.exit(faults === 0 ? 0 : 1);
