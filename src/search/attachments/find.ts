/** Which parts of a message are attachments that have a text, and of what kind, by type and file name (RFC 2183). */
import { contentOf, type MimePart } from '../../mail/mime-part.ts';
import { findParam } from '../../mail/params.ts';
import type { PartIndex } from '../../mail/part-index.ts';
import { runSlices, type SliceReader, type SliceSteps } from '../../mail/slices.ts';
import { SEARCH_LIMITS } from '../limits.ts';

/** 'zip': the office formats that are archives of XML. */
export type AttachmentKind = 'pdf' | 'zip' | 'rtf' | 'plain' | 'html';

export interface Attachment {
  readonly kind: AttachmentKind;
  readonly start: number;
  readonly end: number;
  /** Content-Transfer-Encoding in lower case. */
  readonly encoding: string;
}

/** Parts whose header is longer are not looked at further. */
const PART_HEADER_BYTES = 64 * 1024;

const KIND_BY_ENDING = new Map<string, AttachmentKind>([
  ['pdf', 'pdf'],
  ...['docx', 'docm', 'dotx', 'xlsx', 'xlsm', 'xltx', 'pptx', 'pptm', 'ppsx', 'odt', 'ods', 'odp', 'odg', 'ott'].map((ending) => [ending, 'zip'] as const),
  ['rtf', 'rtf'],
  ...['txt', 'text', 'csv', 'tsv', 'md', 'log', 'json', 'xml', 'yaml', 'yml', 'ics', 'vcf', 'tex', 'diff', 'patch', 'sql'].map(
    (ending) => [ending, 'plain'] as const,
  ),
  ['htm', 'html'],
  ['html', 'html'],
]);
const KIND_BY_SUBTYPE = new Map<string, AttachmentKind>([
  ['pdf', 'pdf'],
  ['x-pdf', 'pdf'],
  ['rtf', 'rtf'],
  ['x-rtf', 'rtf'],
  ['json', 'plain'],
  ['xml', 'plain'],
  ['csv', 'plain'],
  ['ics', 'plain'],
  ['x-yaml', 'plain'],
  ['yaml', 'plain'],
  ['sql', 'plain'],
  ['xhtml+xml', 'html'],
]);

/** At most SEARCH_LIMITS.attachments, in order. Answers at once when all slices do. */
export function attachmentsOf(read: SliceReader, root: PartIndex): Attachment[] | Promise<Attachment[]> {
  return runSlices(steps(read, root));
}

function* steps(read: SliceReader, root: PartIndex): SliceSteps<Attachment[]> {
  const found: Attachment[] = [];
  const todo: PartIndex[] = [root];
  while (todo.length > 0 && found.length < SEARCH_LIMITS.attachments) {
    const part = todo.pop()!;
    for (let i = part.children.length - 1; i >= 0; i -= 1) todo.push(part.children[i]!);
    if (part.kind !== 'leaf' || part.bodyEnd <= part.bodyStart) continue;
    const content = contentOf(yield read(part.headerStart, Math.min(part.bodyStart, part.headerStart + PART_HEADER_BYTES)));
    const kind = kindOf(content);
    if (kind !== null) found.push({ kind, start: part.bodyStart, end: part.bodyEnd, encoding: content.encoding });
  }
  return found;
}

/** null: no text that can be read, or text that is in the body's already. */
function kindOf(content: MimePart): AttachmentKind | null {
  if (content.type !== 'application') return null;
  const { subtype } = content;
  const bySubtype = KIND_BY_SUBTYPE.get(subtype);
  if (bySubtype !== undefined) return bySubtype;
  if (subtype.startsWith('vnd.openxmlformats-officedocument') || subtype.startsWith('vnd.oasis.opendocument')) return 'zip';
  if (subtype.endsWith('+json') || subtype.endsWith('+xml')) return 'plain';
  const name = (content.disposition === null ? null : findParam(content.disposition.params, 'filename')) ?? findParam(content.params, 'name');
  const dot = name?.lastIndexOf('.') ?? -1;
  return dot === -1 ? null : (KIND_BY_ENDING.get(name!.slice(dot + 1).toLowerCase()) ?? null);
}
