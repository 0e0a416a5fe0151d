/** select and examine (RFC 9051 section 9) with the parameters CONDSTORE and QRESYNC (RFC 7162 section 7). */
import { CLOSE, OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';

/** Pairs of numbers, as in SequenceSet, without "*" and "$". */
export type NumberSet = readonly number[];

export interface Qresync {
  readonly uidValidity: number;
  readonly modseq: number;
  /** null: all up to UIDNEXT. */
  readonly knownUids: NumberSet | null;
  /** Sequence numbers and the uids that the client knows behind them; null: not given. */
  readonly match: { readonly numbers: NumberSet; readonly uids: NumberSet } | null;
}

export interface SelectArguments {
  readonly name: string;
  readonly condstore: boolean;
  readonly qresync: Qresync | null;
}

/** sequence-set of numbers alone. */
function numberSet(cursor: Cursor): NumberSet {
  const set = cursor.sequenceSet();
  if (set?.includes(0) !== false) throw new ImapSyntaxError('Known UIDs are numbers, without "*" and "$"');
  return set;
}

/** "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP "(" known-sequence-set SP known-uid-set ")"] ")" */
function qresyncParameter(cursor: Cursor): Qresync {
  cursor.expect(OPEN);
  // 0 is no UIDVALIDITY; a client that knows none sends it all the same, and it matches none.
  const uidValidity = cursor.number();
  cursor.sp();
  const modseq = cursor.modSequence();
  let knownUids: NumberSet | null = null;
  let match: Qresync['match'] = null;
  let hasMore = cursor.take(SP);
  if (hasMore && cursor.peek() !== OPEN) {
    knownUids = numberSet(cursor);
    hasMore = cursor.take(SP);
  }
  if (hasMore) {
    cursor.expect(OPEN);
    const numbers = numberSet(cursor);
    cursor.sp();
    const uids = numberSet(cursor);
    cursor.expect(CLOSE);
    if (countOf(numbers) !== countOf(uids)) throw new ImapSyntaxError('As many UIDs as sequence numbers are needed');
    match = { numbers, uids };
  }
  cursor.expect(CLOSE);
  return { uidValidity, modseq, knownUids, match };
}

function countOf(set: NumberSet): number {
  let count = 0;
  for (let i = 0; i < set.length; i += 2) count += Math.abs(set[i + 1]! - set[i]!) + 1;
  return count;
}

/** SP mailbox [SP "(" select-param *(SP select-param) ")"] */
export function selectArguments(cursor: Cursor): SelectArguments {
  cursor.sp();
  const name = cursor.mailbox();
  let condstore = false;
  let qresync: Qresync | null = null;
  if (cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length) {
    cursor.sp();
    cursor.list(10, 1, () => {
      const parameter = cursor.word();
      if (parameter === 'CONDSTORE') condstore = true;
      else if (parameter === 'QRESYNC') {
        if (qresync !== null) throw new ImapSyntaxError('QRESYNC is given twice');
        cursor.sp();
        qresync = qresyncParameter(cursor);
      } else throw new ImapSyntaxError(`Unknown SELECT parameter ${parameter.slice(0, 40)}`);
    });
  }
  cursor.end();
  return { name, condstore, qresync };
}

export interface BatchesArguments {
  readonly size: number;
  /** Which batches, counted from 1 at the highest uids; null: all. */
  readonly range: readonly [from: number, to: number] | null;
}

/** SP nz-number [SP nz-number ":" nz-number] (draft-ietf-mailmaint-imap-uidbatches) */
export function batchesArguments(cursor: Cursor): BatchesArguments {
  cursor.sp();
  const size = cursor.nzNumber();
  let range: BatchesArguments['range'] = null;
  if (cursor.take(SP) && !cursor.isAtEnd) {
    const from = cursor.nzNumber();
    cursor.expect(0x3a);
    const to = cursor.nzNumber();
    range = [Math.min(from, to), Math.max(from, to)];
  }
  cursor.end();
  return { size, range };
}
