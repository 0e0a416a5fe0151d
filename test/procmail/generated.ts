/** Rc files put together at random, repeatable by their seed: expressions over a small alphabet, and chains of flags. */
import type { Case } from './sides.ts';

/** `seed` and how many. */
export function generatedCases(seed: number, count: number): Case[] {
  const random = generator(seed);
  return Array.from({ length: count }, (_, index) => (index % 3 === 0 ? chain(random, index) : expressions(random, index)));
}

type Random = (below: number) => number;

/** A linear congruential generator: good enough to choose, the same everywhere. */
function generator(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)]!;

function pattern(random: Random, depth: number): string {
  const length = 1 + random(3);
  let text = '';
  for (let n = 0; n < length; n += 1) {
    const kind = random(depth > 2 ? 6 : 9);
    let atom = pick(random, ['a', 'b', 'c', '.', '[ab]', '[^a]', '$', '^']);
    if (kind === 6) atom = `(${pattern(random, depth + 1)}|${pattern(random, depth + 1)})`;
    if (kind === 7) atom = `(${pattern(random, depth + 1)})`;
    // Repeated line ends are told apart by nothing that a rc file could see; the rest is.
    text += atom + (atom === '$' || atom === '^' || atom.includes('$') || atom.includes('^)') ? '' : pick(random, ['', '', '', '*', '+', '?']));
  }
  return text;
}

function expressions(random: Random, index: number): Case {
  let rc = '';
  for (let n = 0; n < 6; n += 1) {
    const text = Array.from({ length: random(14) }, () => pick(random, ['a', 'b', 'c', 'a', 'b', '\n'])).join('');
    const one = `(${pattern(random, 0)})`;
    rc += `V='${text}'\nMATCH=none\n:0\n* V ?? ${one}\n{ LOG="@${n} yes\n" }\n:0\n* 1^1 V ?? ${one}b\n{ }\nLOG="@$=\n"\n:0\n* V ?? ^^[ab]*c\\/${pattern(random, 3).replace(/[$^]/g, 'a')}\n{ LOG="@<$MATCH>\n" }\n`;
  }
  return { name: `generated expressions ${index}`, rc: `${rc}:0\n/dev/null\n`, isGenerated: true };
}

function chain(random: Random, index: number): Case {
  const recipes = (depth: number): string => {
    let text = '';
    for (let n = 0, count = 3 + random(5); n < count; n += 1) {
      const flags = pick(random, ['', '', 'A', 'a', 'E', 'e', 'AE', 'Ae', 'aE', 'Ea']);
      const condition = pick(random, ['', '* T ?? 1\n', '* T ?? 2\n', '* 1^0 T ?? 1\n* -1^1 T ?? 3\n', '* !T ?? 1\n']);
      const id = random(1000);
      const kind = random(depth > 1 ? 4 : 5);
      if (kind === 0) text += `:0c${flags}\n${condition}/nosuch/dir/file\n`;
      else if (kind === 4) text += `:0${flags}\n${condition}{\n${recipes(depth + 1)}}\n`;
      else text += `:0${flags}\n${condition}{ R=$R.${id} }\n`;
    }
    return text;
  };
  return { name: `generated chain ${index}`, rc: `T=1\n${recipes(0)}LOG="@$R $=\n"\n:0\n/dev/null\n` };
}
