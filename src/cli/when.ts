/** Points in time as people give them on the command line. */

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 7 * 86_400_000],
]);

/** "2h" (ago), "3d", "14:30" (today), "2026-05-01", "2026-05-01 14:30". Milliseconds; throws with a sentence. */
export function parseWhen(text: string, now: number): number {
  const ago = /^(\d{1,6})\s*([smhdw])$/.exec(text.trim());
  if (ago !== null) return now - Number(ago[1]) * UNITS.get(ago[2]!)!;
  const time = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text.trim());
  if (time !== null) {
    const date = new Date(now);
    date.setHours(Number(time[1]), Number(time[2]), Number(time[3] ?? 0), 0);
    return date.getTime();
  }
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text.trim());
  const date =
    match === null
      ? null
      : new Date(Number(match[1]), Number(match[2]) - 1, Number(match[3]), Number(match[4] ?? 0), Number(match[5] ?? 0), Number(match[6] ?? 0));
  if (date === null || date.getDate() !== Number(match![3]))
    throw new Error(`"${text}" is not a time: write 2h (ago), 3d, 14:30, 2026-05-01 or "2026-05-01 14:30".`);
  return date.getTime();
}
