/** The parts of an email's text, each with its trigrams and its kept text. */
import type { TextScope } from '../ports.ts';

export interface TextPart {
  /** The FTS5 table, and where the text itself is. */
  readonly grams: string;
  readonly table: string;
  readonly column: string;
}

const HEADER: TextPart = { grams: 'header_grams', table: 'kept', column: 'header' };
const BODY: TextPart = { grams: 'body_grams', table: 'kept', column: 'body' };
const ATTACHMENTS: TextPart = { grams: 'attachment_grams', table: 'kept_attachment', column: 'text' };

export function partsOf(scope: TextScope): readonly TextPart[] {
  switch (scope) {
    case 'header':
      return [HEADER];
    case 'body':
      return [BODY, ATTACHMENTS];
    case 'text':
      return [HEADER, BODY, ATTACHMENTS];
    default:
      return scope satisfies never;
  }
}
