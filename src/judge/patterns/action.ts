/** The result of a header_checks or body_checks lookup, read as header_checks(5) defines it. Pure. */
import type { Reply } from '../../ports.ts';
import { isField } from './words.ts';

export type PatternAction =
  | { readonly kind: 'dunno' | 'ignore' }
  | { readonly kind: 'info' | 'warn' | 'pass' | 'hold' | 'discard' | 'strip'; readonly text: string }
  | { readonly kind: 'bcc' | 'redirect' | 'filter' | 'prepend' | 'replace'; readonly text: string }
  | { readonly kind: 'reject'; readonly reply: Reply };

const DEFAULT_REFUSAL = 'message content rejected';
/** What stands behind these must fit; otherwise the rule does nothing, as with Postfix. */
const FITS: Readonly<Record<string, (text: string, where: 'header' | 'body') => boolean>> = {
  bcc: isAddress,
  redirect: isAddress,
  filter: (text) => text.includes(':'),
  prepend: (text, where) => text !== '' && (where === 'body' || isField(text)),
  replace: (text, where) => text !== '' && (where === 'body' || isField(text)),
};

/** null: no action, or one whose text does not fit. The message goes on then, and the log says so, as with Postfix. */
export function parsePatternAction(result: string, where: 'header' | 'body'): PatternAction | null {
  const match = /^([A-Za-z_]+)(?:[ \t]+(\S[\s\S]*)?)?$/.exec(result);
  if (match === null) return null;
  const kind = match[1]!.toLowerCase();
  const text = match[2] ?? '';
  switch (kind) {
    case 'bcc':
    case 'redirect':
    case 'filter':
    case 'prepend':
    case 'replace': {
      const plain = kind === 'bcc' || kind === 'redirect' ? text.replace(/^<(.*)>$/, '$1') : text;
      return FITS[kind]!(plain, where) ? { kind, text: plain } : null;
    }
    case 'dunno':
    case 'ok':
      return { kind: 'dunno' };
    case 'ignore':
      return { kind };
    case 'info':
    case 'warn':
    case 'pass':
    case 'hold':
    case 'discard':
    case 'strip':
      return { kind, text };
    case 'reject':
      return { kind, reply: refusal(text) };
    default:
      return null;
  }
}

function isAddress(text: string): boolean {
  return /^[^@\s]+@[^@\s]+$/.test(text);
}

/** "4.7.1 come back" makes a temporary refusal of it; a code that is no refusal becomes a temporary one. */
function refusal(text: string): Reply {
  const match = /^([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+([\s\S]*))?$/.exec(text);
  const code = match?.[1] ?? '5.7.1';
  const enhanced = code.startsWith('2') ? `4${code.slice(1)}` : code;
  const words = (match === null ? text : (match[2] ?? '')).replace(/[\x00-\x1f\x7f]+/g, ' ').trim();
  return { code: enhanced.startsWith('4') ? 451 : 550, enhanced, text: words === '' ? DEFAULT_REFUSAL : words };
}
