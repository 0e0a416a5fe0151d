/** The figures of a habit: a slowly moving average, deviation and peak of what an account sends to in the hours (or days) in which it sends. */

export interface Figures {
  /** Start of the hour or day that is being counted, and the recipients in it so far. */
  readonly at: number;
  readonly count: number;
  readonly mean: number;
  /** Mean absolute deviation. */
  readonly deviation: number;
  /** The most there ever was, half of it forgotten every 60 days: a newsletter once a month is a habit too. */
  readonly peak: number;
}

/** Weight of the newest hour or day. */
const WEIGHT = 0.1;
const PEAK_HALF_LIFE_MS = 60 * 86_400_000;

export function addTo(old: Figures | null, recipients: number, at: number, windowMs: number): Figures {
  const start = Math.floor(at / windowMs) * windowMs;
  if (old === null) return { at: start, count: recipients, mean: 0, deviation: 0, peak: 0 };
  // Notes of several threads may come late: what belongs to an hour that is over counts in the one under way.
  if (start <= old.at) return { ...old, count: old.count + recipients };
  return { ...folded(old, start), at: start, count: recipients };
}

/** The finished hour or day goes into the averages. */
function folded(old: Figures, now: number): Figures {
  const isFirst = old.peak === 0;
  const { count } = old;
  return {
    ...old,
    mean: isFirst ? count : old.mean + WEIGHT * (count - old.mean),
    deviation: isFirst ? count / 2 : old.deviation + WEIGHT * (Math.abs(count - old.mean) - old.deviation),
    peak: Math.max(count, old.peak * 0.5 ** ((now - old.at) / PEAK_HALF_LIFE_MS)),
  };
}

/** Up to so many recipients are nothing unusual at `now`. An hour or day that is over counts, whether it was folded in already or not. */
export function limitOf(figures: Figures | null, now: number, windowMs: number, factor: number, least: number): number {
  if (figures === null) return least;
  const { mean, deviation, peak } = addTo(figures, 0, now, windowMs);
  return Math.max(least, Math.ceil(factor * (mean + deviation)), Math.ceil(2 * peak));
}
