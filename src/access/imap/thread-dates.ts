/** The order of dates, which is that of siblings in threads (RFC 5256 section 2.2). */
import { pause, type SliceClock } from './pace.ts';
import { denseRanks, sortNumbers } from './sort-slices.ts';

/** The places of `dates` from the earliest to the latest, those of the same date as they stand. */
export async function orderByDate(dates: Float64Array, clock: SliceClock): Promise<Uint32Array> {
  const count = dates.length;
  const order = new Uint32Array(count);
  let isAscending = true;
  for (let i = 0; i < count; i += 1) {
    order[i] = i;
    if (i > 0 && dates[i]! < dates[i - 1]!) isAscending = false;
  }
  if (isAscending) return order;
  const { ranks } = await denseRanks(dates, clock);
  const packed = new Float64Array(count);
  for (let i = 0; i < count; i += 1) packed[i] = ranks[i]! * count + i;
  if (clock.isOver()) await pause(clock);
  const sorted = await sortNumbers(packed, clock);
  for (let i = 0; i < count; i += 1) order[i] = sorted[i]! % count;
  return order;
}
