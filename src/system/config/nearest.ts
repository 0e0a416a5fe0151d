/** The name that was probably meant: edit distance with transpositions, over short names only. */

/** Edits (insert, delete, replace, swap neighbours) from `a` to `b`. Names are cut to 64 characters, so time is bounded. */
export function editDistance(a: string, b: string): number {
  a = a.slice(0, 64);
  b = b.slice(0, 64);
  const width = b.length + 1;
  const rows = new Uint16Array(width * (a.length + 1));
  for (let j = 0; j < width; j += 1) rows[j] = j;
  for (let i = 1; i <= a.length; i += 1) {
    rows[i * width] = i;
    for (let j = 1; j < width; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(rows[(i - 1) * width + j]! + 1, rows[i * width + j - 1]! + 1, rows[(i - 1) * width + j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, rows[(i - 2) * width + j - 2]! + 1);
      rows[i * width + j] = least;
    }
  }
  return rows[rows.length - 1]!;
}

/** The closest of `names` to `given`, or null when none is close enough to be a slip of the hand (a third of its length). */
export function nearestName(given: string, names: Iterable<string>): string | null {
  const wanted = given.toLowerCase().replaceAll(/[_-]/g, '');
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(wanted, name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}
