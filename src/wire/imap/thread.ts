/** thread (RFC 5256 section 5). */
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import type { SearchProgram } from './search.ts';
import { charsetAndCriteria } from './sort.ts';

export type ThreadAlgorithm = 'ORDEREDSUBJECT' | 'REFERENCES' | 'REFS';

export interface ThreadArguments extends SearchProgram {
  readonly algorithm: ThreadAlgorithm;
}

const ALGORITHMS: readonly ThreadAlgorithm[] = ['ORDEREDSUBJECT', 'REFERENCES', 'REFS'];

/** SP thread-alg SP search-criteria */
export function threadArguments(cursor: Cursor): ThreadArguments {
  cursor.sp();
  const word = cursor.word();
  const algorithm = ALGORITHMS.find((known) => known === word);
  if (algorithm === undefined) throw new ImapSyntaxError(`Unknown threading algorithm ${word.slice(0, 40)}`);
  cursor.sp();
  return { algorithm, ...charsetAndCriteria(cursor) };
}
