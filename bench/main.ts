/**
 * npm run bench -- [ingest] [outbound] [memory] [flood] [judge] [--quick] [--alone]
 *
 * Measures Posthorn beside Debian's Postfix and Dovecot on this machine, in the same run, and prints tables with ratios.
 * --quick: fewer messages, one round. --alone: without the peers. Needs root (control groups, namespaces).
 */
import { parseArgs } from 'node:util';
import { ownNetwork } from '../test/harness/own-network.ts';
import { flood } from './flood.ts';
import { ingest } from './ingest.ts';
import { judge } from './judge.ts';
import { memory } from './memory.ts';
import { outbound } from './outbound.ts';

ownNetwork();
const BENCHES = { ingest, outbound, memory, flood, judge } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, alone: { type: 'boolean', default: false } },
});
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals;
const unknown = names.filter((name) => !Object.hasOwn(BENCHES, name));
if (unknown.length > 0) {
  console.error(`no benchmark "${unknown[0]}": choose from ${Object.keys(BENCHES).join(', ')}`);
  process.exit(64);
}
for (const name of names) {
  await BENCHES[name as keyof typeof BENCHES]({ isQuick: values.quick, isAlone: values.alone, say: (text) => console.log(text) });
  console.log('');
}
process.exit(0);
