/** RFC 5703 section 7: extracttext, the text of the current part in a variable. */
import { decodeCharset, decodeUnlabelled, isKnownCharset } from '../../../../mail/charset.ts';
import type { MimePart } from '../../../../mail/mime.ts';
import { findParam } from '../../../../mail/params.ts';
import { decodeTransfer, isKnownEncoding } from '../../../../mail/transfer.ts';
import type { Call } from '../call.ts';
import { htmlText } from '../html-text.ts';
import type { Mime } from '../message.ts';
import { EXTRACTED_BYTES } from '../limits.ts';
import { currentPath, partAt, treeOf } from '../mime-parts.ts';
import type { Extension, Step } from '../registry.ts';
import type { Flow } from '../run.ts';
import { writeVariable } from '../text.ts';
import { MODIFIER_TAGS, modifierOf } from './variables.ts';

/** Texts that were taken out, for scripts that ask again. */
const texts = new WeakMap<MimePart, string>();

/** Parts made of parts have no text of their own; what cannot be decoded gives none. HTML is given without its marks, as Pigeonhole does. */
function textOf({ bytes }: Mime, part: MimePart): string {
  if (part.type === 'multipart' || part.type === 'message' || !isKnownEncoding(part.encoding)) return '';
  const body = decodeTransfer(bytes.subarray(part.bodyStart, Math.min(part.bodyEnd, part.bodyStart + EXTRACTED_BYTES)), part.encoding);
  if (part.type !== 'text') return decodeUnlabelled(body);
  const charset = findParam(part.params, 'charset') ?? '';
  if (charset !== '' && !isKnownCharset(charset)) return '';
  const text = decodeCharset(body, charset);
  return part.subtype === 'html' ? htmlText(text) : text;
}

/** The first `most` characters, none of them halved. */
function firstOf(text: string, most: number): string {
  if (text.length <= most) return text;
  let end = 0;
  for (let count = 0; count < most && end < text.length; count += 1) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  return text.slice(0, end);
}

function extractText(call: Call): Step<Flow> {
  const { context } = call;
  for (const needed of ['foreverypart', 'variables']) if (!context.isOn(needed)) call.problem(`extracttext needs require "${needed}"`);
  if (context.loops.length === 0) call.problem('extracttext can only be used in a foreverypart loop');
  const name = call.needText('name');
  const variable = context.variable(name.constant!, name.line);
  const most = Math.min(call.number(':first') ?? Number.MAX_SAFE_INTEGER, context.limits.textChars);
  const modify = modifierOf(call);
  return {
    *ask(run) {
      const mime = yield* treeOf(run);
      const part = partAt(mime.root, currentPath(run) ?? []);
      let text = '';
      if (part !== undefined) {
        let all = texts.get(part);
        if (all === undefined) {
          const looked = Math.min(part.bodyEnd - part.bodyStart, EXTRACTED_BYTES);
          run.charge(part.subtype === 'html' ? looked : looked >> 3);
          all = textOf(mime, part);
          texts.set(part, all);
        }
        text = firstOf(all, most);
        run.charge(text.length >> 3);
      }
      writeVariable(run, variable, modify(run, text));
      return undefined;
    },
  };
}

export const EXTRACTTEXT: Extension = {
  name: 'extracttext',
  commands: [
    {
      name: 'extracttext',
      tags: [{ name: 'first', argument: 'number' }, ...MODIFIER_TAGS],
      positional: [{ name: 'name', type: 'string', isConstant: true }],
      compile: extractText,
    },
  ],
};
