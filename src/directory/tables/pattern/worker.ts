/** The worker behind worker-pool.ts: one match a message. It is ended from outside when a match takes too long. */
import { parentPort } from 'node:worker_threads';
import { RE2JS } from 're2js';
import type { MatchAnswer, MatchRequest } from './worker-pool.ts';

type Match = (text: string) => readonly (string | undefined)[] | null;

/** The same few patterns come again and again. */
const COMPILED_MAX = 500;
const compiled = new Map<string, Match>();

function matcherOf({ engine, source, isLongest }: MatchRequest): Match {
  const key = `${engine} ${isLongest} ${source}`;
  let match = compiled.get(key);
  if (match === undefined) {
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    match = engine === 're2' ? re2(source, isLongest) : javascript(source);
    compiled.set(key, match);
  }
  return match;
}

function javascript(source: string): Match {
  const pattern = new RegExp(source);
  return (text) => {
    const found = pattern.exec(text);
    return found === null ? null : [...found];
  };
}

function re2(source: string, isLongest: boolean): Match {
  const pattern = RE2JS.compile(source, isLongest ? RE2JS.LONGEST_MATCH : 0);
  return (text) => {
    if (!pattern.test(text)) return null; // quicker than finding the groups of nothing
    const matcher = pattern.matcher(text);
    if (!matcher.find()) return null;
    return Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i) ?? undefined);
  };
}

function match(request: MatchRequest): MatchAnswer {
  try {
    return matcherOf(request)(request.text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error); // V8's stack for backtracking has an end
  }
}

const port = parentPort!;
port.on('message', (request: MatchRequest) => port.postMessage(match(request)));
port.postMessage('ready');
