/** Filters and delivery to system users beside the programs they come from: Sieve, procmail, lists. */
import type { FilterBenchOptions } from './filters-load.ts';
import { list } from './filters-list.ts';
import { procmail } from './filters-procmail.ts';
import { sieve } from './filters-sieve.ts';

export async function filters(options: FilterBenchOptions): Promise<void> {
  await sieve(options);
  options.say('');
  await list(options);
  options.say('');
  // Last: it leaves a machine with users of its own behind.
  await procmail(options);
}
