/**
 * npm run bench -- [ingest] [outbound] [memory] [flood] [judge] [filters] [imap] [sieve] [procmail] [list] [--quick] [--alone]
 *
 * Measures Posthorn beside Debian's Postfix and Dovecot on this machine, in the same run, and prints tables with ratios.
 * --quick: fewer messages, one round. --alone: without the peers. Needs root (control groups, namespaces).
 */
import { parseArgs } from 'node:util';
import { ownNetwork } from '../test/harness/own-network.ts';
import { filters } from './filters.ts';
import { list } from './filters-list.ts';
import { procmail } from './filters-procmail.ts';
import { sieve } from './filters-sieve.ts';
import { flood } from './flood.ts';
import { imap } from './imap.ts';
import { ingest } from './ingest.ts';
import { judge } from './judge.ts';
import { memory } from './memory.ts';
import { outbound } from './outbound.ts';

ownNetwork();
const BENCHES = { ingest, outbound, memory, flood, judge, filters, imap } as const;
/** What `filters` is made of, each by its own name. */
const PARTS = { sieve, procmail, list } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, alone: { type: 'boolean', default: false } },
});
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals;
const all = { ...BENCHES, ...PARTS };
const unknown = names.filter((name) => !Object.hasOwn(all, name));
if (unknown.length > 0) {
  console.error(`no benchmark "${unknown[0]}": choose from ${Object.keys(all).join(', ')}`);
  process.exit(64);
}
for (const name of names) {
  await all[name as keyof typeof all]({ isQuick: values.quick, isAlone: values.alone, say: (text) => console.log(text) });
  console.log('');
}
process.exit(0);
