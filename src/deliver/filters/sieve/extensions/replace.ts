/** RFC 5703 section 5: replace. */
import { formatMailbox, textField } from '../../../../mail/compose.ts';
import { parseMailbox } from '../../../../mail/address.ts';
import { parseAddressList } from '../../../../mail/address-list.ts';
import { decodeWords } from '../../../../mail/encoded-word.ts';
import { foldHeader, latin1 } from '../../../../mail/header.ts';
import type { Call } from '../call.ts';
import { currentPath } from '../mime-parts.ts';
import type { Extension, Step } from '../registry.ts';
import { replacePart, textEntity, writtenEntity } from '../replacing.ts';
import type { Flow } from '../run.ts';

const MAILBOXES_MAX = 20;

/** A mailbox-list (RFC 5322 section 3.4) as the value of a From field; null when it is none. */
function mailboxList(text: string): string | null {
  const bytes = Buffer.from(text.replace(/[\r\n\0]+/g, ' '));
  const list: string[] = [];
  for (const item of parseAddressList(latin1(bytes, 0, bytes.length))) {
    if (item.kind !== 'mailbox' || list.length >= MAILBOXES_MAX) return null;
    const address = parseMailbox(Buffer.from(`${item.local}@${item.domain}`, 'latin1').toString('utf8'), { utf8: true });
    if (address === null) return null;
    const name = item.name === null ? null : Buffer.from(item.name, 'latin1').toString('utf8');
    list.push(formatMailbox(name === null ? null : decodeWords(name), address));
  }
  return list.length === 0 ? null : list.join(', ');
}

/** The current part of the loop, or the message; of the message, all header fields stay that do not tell of its content. */
function replace(call: Call): Step<Flow> {
  const text = call.needText('replacement');
  const isMime = call.has(':mime');
  if (isMime && text.constant !== null) {
    const entity = writtenEntity(text.constant);
    if (typeof entity === 'string') call.problem(entity, text.line);
  }
  const subject = call.text(':subject');
  const from = call.text(':from');
  if (from !== null && from.constant !== null && mailboxList(from.constant) === null) {
    call.problem(`"${from.constant.slice(0, 100)}" is no list of addresses`, from.line);
  }
  return {
    *ask(run) {
      const value = text.value(run);
      const entity = isMime ? writtenEntity(value) : textEntity(value);
      if (typeof entity === 'string') return run.fail(entity);
      const path = currentPath(run) ?? [];
      const instead = new Map<string, string>();
      if (path.length === 0) {
        if (subject !== null) instead.set('subject', textField('Subject', subject.value(run)));
        // Section 5: a wrong one is better passed over than a reason not to replace.
        const list = from === null ? null : mailboxList(from.value(run));
        if (list !== null) instead.set('from', foldHeader('From', list));
      }
      yield* replacePart(run, path, entity, { instead });
      return undefined;
    },
  };
}

export const REPLACE: Extension = {
  name: 'replace',
  commands: [
    {
      name: 'replace',
      tags: [
        { name: 'mime', argument: null },
        { name: 'subject', argument: 'string' },
        { name: 'from', argument: 'string' },
      ],
      positional: [{ name: 'replacement', type: 'string' }],
      compile: replace,
    },
  ],
};
