/** Is there such an address: reject_unlisted_sender, reject_unlisted_recipient, and the same as the last thing asked of every recipient. */
import type { Address } from '../../ports.ts';
import { classOf } from './destination.ts';
import type { RecipientClass } from './ports.ts';
import type { Run } from './run.ts';
import { after, DUNNO, type Soon, type Status } from './status.ts';
import { enhancedFor, SUBJECT, type Subject } from './words.ts';

const TABLE_NAMES: Readonly<Record<RecipientClass, string>> = {
  local: ' in local recipient table',
  virtualAlias: ' in virtual alias table',
  virtualMailbox: ' in virtual mailbox table',
  relay: ' in relay recipient table',
  routed: '',
  foreign: '',
};

/** Asked once for each recipient, however often it is written. A mere warning leaves the question open. */
export function rejectUnlistedRecipient(run: Run): Soon<Status> {
  const { recipient } = run;
  if (recipient === null || run.isRecipientChecked) return DUNNO;
  if (run.warnDepth === 0) run.isRecipientChecked = true;
  return unlisted(run, recipient, run.facts.recipientText ?? '', SUBJECT.recipient);
}

export function rejectUnlistedSender(run: Run): Soon<Status> {
  const { sender, senderText } = run.facts;
  if (sender === null || run.memo.isSenderChecked) return DUNNO;
  if (run.warnDepth === 0) run.memo.isSenderChecked = true;
  return unlisted(run, sender, senderText ?? '', SUBJECT.sender);
}

function unlisted(run: Run, address: Address, text: string, subject: Subject): Soon<Status> {
  return after(classOf(run, address, text), (found) => {
    if (typeof found === 'number') return found;
    if (found === 'foreign' || found === 'routed') return DUNNO;
    return run.consult(
      text,
      () => run.context.recipients.isListed(address),
      (listed) => {
        if (listed) return DUNNO;
        const table = run.policy.showTableName ? TABLE_NAMES[found] : '';
        return run.reject(
          codeFor(run, found),
          found === 'virtualAlias' ? enhancedFor('5.1.1', subject) : subject === SUBJECT.sender ? '5.1.0' : '5.1.1',
          text,
          subject,
          `User unknown${table}`,
        );
      },
    );
  });
}

function codeFor(run: Run, found: RecipientClass): number {
  switch (found) {
    case 'virtualAlias':
      return run.codes.unknownVirtualAliasReject;
    case 'virtualMailbox':
      return run.codes.unknownVirtualMailboxReject;
    case 'relay':
      return run.codes.unknownRelayRecipientReject;
    default:
      return run.codes.unknownLocalRecipientReject;
  }
}
