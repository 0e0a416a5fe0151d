/** Does a recipe's list of conditions hold, and with which score (procmailsc(5))? */
import type { FilterRequest } from '../filter.ts';
import { parseCondition, SCORE_MOST } from './condition.ts';
import { expandText, expandWords } from './expand.ts';
import type { Part } from './message.ts';
import { countMatches, type Expression, type Found } from './regex.ts';
import type { Run } from './run.ts';
import type { Area, Condition, Recipe } from './script.ts';

type Steps<T> = Generator<FilterRequest, T, unknown>;

/** Sets the run's score, and MATCH. `$` conditions that expand to further `$` conditions end at a few. */
export function* evaluateConditions(run: Run, recipe: Recipe): Steps<boolean> {
  let score = 0;
  let isWeighted = false;
  let holds = true;
  for (const condition of recipe.conditions) {
    const step = yield* evaluate(run, recipe, condition, score, 0);
    if (step.kind === 'plain') holds = step.holds;
    else {
      isWeighted = true;
      // At plus infinity nothing is added any more; at minus infinity it is over.
      if (score < SCORE_MOST) score = step.score;
      if (score <= -SCORE_MOST) {
        score = -SCORE_MOST;
        holds = false;
      }
      if (score > SCORE_MOST) score = SCORE_MOST;
    }
    if (!holds) break;
  }
  run.score = score > 0 && score < 1 ? 1 : Math.trunc(score);
  return holds && (!isWeighted || score > 0);
}

type Step = { readonly kind: 'plain'; readonly holds: boolean } | { readonly kind: 'score'; readonly score: number };

function* evaluate(run: Run, recipe: Recipe, condition: Condition, score: number, depth: number): Steps<Step> {
  switch (condition.kind) {
    case 'expanded': {
      const overflowsBefore = run.overflows;
      const text = yield* expandText(condition.word, run);
      if (run.overflows !== overflowsBefore || depth > 8) return { kind: 'plain', holds: false };
      return yield* evaluate(run, recipe, run.reread(text, recipe.flags.has('D'), condition), score, depth + 1);
    }
    case 'regex':
      return regex(run, recipe, condition, score);
    case 'size': {
      const text = (yield* expandWords(condition.words, run))[0] ?? '';
      return size(run, condition, Number(/^\s*[+-]?\d+/.exec(text)?.[0] ?? 0), score);
    }
    case 'program': {
      const input = areaBytes(run, condition.area, recipe, true);
      const exit = yield* run.condition(condition.program, input, recipe.line);
      run.verbose(
        exit === 0 ? `Match on ${condition.isNegated ? '! ' : ''}"${condition.program.line}"` : `Non-zero exitcode (${exit}) from "${condition.program.line}"`,
      );
      if (condition.weight === null) return { kind: 'plain', holds: (exit === 0) !== condition.isNegated };
      const { first, factor } = condition.weight;
      if (!condition.isNegated) return { kind: 'score', score: score + (exit === 0 ? first : factor) };
      return { kind: 'score', score: score + series(first, factor, Math.abs(exit)) };
    }
  }
}

function regex(run: Run, recipe: Recipe, condition: Condition & { kind: 'regex' }, score: number): Step {
  const { expression, problem } = condition.compiled;
  if (problem !== null) run.complain(problem);
  const text = areaBytes(run, condition.area, recipe, false);
  if (condition.weight === null || condition.isNegated || expression === null) {
    const found = expression === null ? null : expression.search(text, 0);
    if (found !== null) assignMatch(run, found, text);
    const holds = (found !== null) !== condition.isNegated;
    run.verbose(`${holds ? 'Match' : 'No match'} on ${condition.isNegated ? '! ' : ''}"${condition.text}"`);
    if (condition.weight === null) return { kind: 'plain', holds };
    return { kind: 'score', score: score + (holds && expression !== null ? condition.weight.first : 0) };
  }
  return { kind: 'score', score: weighted(run, expression, text, condition.weight.first, condition.weight.factor, score) };
}

/** w + w·x + w·x² …, as often as it is found. */
function weighted(run: Run, expression: Expression, text: Uint8Array, first: number, factor: number, before: number): number {
  let score = before;
  let weight = first;
  let count = 0;
  const times = countMatches(expression, text, (found) => {
    if (count === 0) assignMatch(run, found, text);
    count += 1;
    score += weight;
    weight *= factor;
    // What follows cannot change the result any more.
    return factor !== 0 && Math.abs(score) < SCORE_MOST && (weight !== 0 || factor === 0) && score + weight !== score;
  });
  if (times !== Number.POSITIVE_INFINITY || count !== 1) return score;
  // Found without consuming anything: the limit of the sum.
  if (factor >= 1) return first > 0 ? SCORE_MOST : first < 0 ? -SCORE_MOST : before;
  if (factor >= 0) return before + first / (1 - factor);
  return before + first;
}

function series(first: number, factor: number, count: number): number {
  let sum = 0;
  let weight = first;
  for (let n = 0; n < count; n += 1) {
    sum += weight;
    weight *= factor;
  }
  return sum;
}

function size(run: Run, condition: Condition & { kind: 'size' }, limit: number, score: number): Step {
  const length = condition.area === null ? run.message.size : areaBytes(run, condition.area, null, false).length;
  const isLess = (condition.operator === '<') !== condition.isNegated;
  if (condition.weight === null) {
    const holds = condition.operator === '<' ? length < limit : length > limit;
    run.verbose(`${holds !== condition.isNegated ? 'Match' : 'No match'} on ${condition.isNegated ? '! ' : ''}"${condition.text}"`);
    return { kind: 'plain', holds: holds !== condition.isNegated };
  }
  const ratio = isLess ? limit / length : length / limit;
  const added = condition.weight.first * ratio ** condition.weight.factor;
  return { kind: 'score', score: Number.isNaN(added) ? score : Math.max(Math.min(score + added, SCORE_MOST), -SCORE_MOST) };
}

function areaBytes(run: Run, area: Area | null, recipe: Recipe | null, isForProgram: boolean): Buffer {
  if (area !== null && area.kind === 'variable') {
    const bytes = Buffer.from(run.value(area.name) ?? '', 'latin1');
    return isForProgram ? Buffer.concat([bytes, Buffer.from('\n')]) : bytes;
  }
  let part: Part = area?.kind ?? 'header';
  if (area === null && recipe?.flags.has('B')) part = recipe.flags.has('H') ? 'both' : 'body';
  return run.message.area(part);
}

function assignMatch(run: Run, found: Found, text: Uint8Array): void {
  if (found.match === null) return;
  const limit = Math.min(found.match.to, found.match.from + run.lineBytesMax);
  if (limit < found.match.to) run.overflow();
  const value = Buffer.from(text.buffer, text.byteOffset + found.match.from, limit - found.match.from).toString('latin1');
  run.verbose(`Matched "${value}"`);
  run.environment.set('MATCH', value);
}

/** A `$` condition read after its expansion. */
export function rereadCondition(text: string, isCaseSensitive: boolean, from: Condition & { kind: 'expanded' }): Condition {
  return parseCondition(text, isCaseSensitive, { weight: from.weight, isNegated: from.isNegated, area: from.area });
}
