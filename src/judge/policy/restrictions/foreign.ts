/** The access files of Sendmail and qmail, read as they are. */
import { isAuthorised } from '../destination.ts';
import type { Check } from '../engine.ts';
import { openQmailList, openQmailPatterns, type QmailList } from '../qmail.ts';
import type { Builder, Restriction } from '../restriction.ts';
import type { Run } from '../run.ts';
import { openSendmailAccess, type SendmailAccess, type SendmailAction, type SendmailTag } from '../sendmail.ts';
import { after, DUNNO, PERMIT, type Soon, type Status } from '../status.ts';
import type { Need } from '../stages.ts';
import { enhancedFor, SUBJECT, type Subject, type SubjectName } from '../words.ts';

// ── Sendmail ─────────────────────────────────────────────────────────────────────────────────────────

/** One look into the file: what to look for, and how a refusal names it. */
interface Look {
  readonly tag: SendmailTag;
  readonly name: SubjectName;
  readonly subject: Subject;
  readonly hosts: readonly string[];
  readonly address: string | null;
}

function carryOut(run: Run, action: SendmailAction, look: Look, permits: (action: SendmailAction) => Soon<Status>): Soon<Status> {
  switch (action.kind) {
    case 'ok':
    case 'relay':
      return permits(action);
    case 'skip':
      return DUNNO;
    case 'discard':
      if (run.facts.senderText === null) return DUNNO;
      run.note('policy.discard', 'Sendmail access file: DISCARD');
      run.effects.isDiscarded = true;
      return PERMIT;
    case 'quarantine':
      if (run.facts.senderText === null) return DUNNO;
      run.note('policy.hold', `Sendmail access file: QUARANTINE ${action.text}`);
      run.effects.isHeld = true;
      return DUNNO;
    case 'error':
      return run.reject(action.code, enhancedFor(action.enhanced, look.subject), look.name, look.subject, action.text);
  }
}

function consult(run: Run, access: SendmailAccess, look: Look, permits: (action: SendmailAction) => Soon<Status>): Soon<Status> {
  const action = look.address === null ? access.forHosts(look.tag, look.hosts) : access.forAddress(look.tag, look.address);
  return action === null ? DUNNO : carryOut(run, action, look, permits);
}

const lookAtClient = (run: Run): Soon<Look> =>
  after(run.names(), ({ name }) => ({ tag: 'connect', name: null, subject: SUBJECT.client, hosts: [name, run.facts.client.ip], address: null }));

function lookAtAddress(run: Run, side: 'sender' | 'recipient'): Look | null {
  const text = side === 'sender' ? run.facts.senderText : run.recipientText;
  if (text === null) return null;
  const address = side === 'sender' ? run.facts.sender : run.recipient;
  const key = address === null ? '<>' : `${address.local}@${address.domain}`;
  return { tag: side === 'sender' ? 'from' : 'to', name: text, subject: SUBJECT[side], hosts: [], address: key };
}

function checkSendmail(argument: string, builder: Builder): Check {
  const access = openSendmailAccess(argument, builder.context);
  if (builder.list === 'relay') {
    // Here the file only says who may relay: clients with RELAY to anywhere, anybody to recipients with RELAY. OK means no more than "not refused".
    const permitsRelay = (action: SendmailAction): Status => (action.kind === 'relay' ? PERMIT : DUNNO);
    return (run) =>
      after(lookAtClient(run), (client) =>
        after(consult(run, access, client, permitsRelay), (status) => {
          if (status !== DUNNO) return status;
          const recipient = lookAtAddress(run, 'recipient');
          return recipient === null ? DUNNO : consult(run, access, recipient, permitsRelay);
        }),
      );
  }
  if (builder.list === 'recipient') {
    // OK for a recipient exempts it from what follows in this list; it does not open the relay when reject_unauth_destination stands there.
    return (run) => {
      const look = lookAtAddress(run, 'recipient');
      const { recipient } = run;
      if (look === null || recipient === null) return DUNNO;
      return consult(run, access, look, (action) => {
        if (action.kind === 'relay') return PERMIT;
        return after(isAuthorised(run, recipient, look.name ?? ''), (authorised) =>
          typeof authorised === 'number' ? authorised : authorised ? PERMIT : DUNNO,
        );
      });
    };
  }
  const permits = (): Status => PERMIT;
  if (builder.list === 'sender') {
    return (run) => {
      const look = lookAtAddress(run, 'sender');
      return look === null ? DUNNO : consult(run, access, look, permits);
    };
  }
  return (run) => after(lookAtClient(run), (look) => consult(run, access, look, permits));
}

// ── qmail ────────────────────────────────────────────────────────────────────────────────────────────

interface QmailRow {
  readonly name: string;
  readonly needs: Need;
  readonly doc: string;
  readonly open: (file: string, builder: Builder) => QmailList;
  readonly code: number;
  readonly why: string;
}

const bySender = 'sorry, your envelope sender is in my badmailfrom list';
const byRecipient = 'sorry, your envelope recipient is in my badrcptto list';
const byHelo = 'sorry, your HELO name is in my badhelo list';

const QMAIL_ROWS: readonly QmailRow[] = [
  {
    name: 'check_qmail_badmailfrom',
    needs: 'sender',
    doc: 'control/badmailfrom: addresses and @domains of senders',
    open: openQmailList,
    code: 553,
    why: bySender,
  },
  {
    name: 'check_qmail_badmailfrompatterns',
    needs: 'sender',
    doc: 'control/badmailfrompatterns: regular expressions for senders, ! for "unless"',
    open: openQmailPatterns,
    code: 553,
    why: bySender,
  },
  {
    name: 'check_qmail_badrcptto',
    needs: 'recipient',
    doc: 'control/badrcptto: addresses and @domains of recipients',
    open: openQmailList,
    code: 553,
    why: byRecipient,
  },
  {
    name: 'check_qmail_badmailto',
    needs: 'recipient',
    doc: 'control/badmailto: regular expressions for recipients',
    open: openQmailPatterns,
    code: 553,
    why: byRecipient,
  },
  {
    name: 'check_qmail_badrcptpatterns',
    needs: 'recipient',
    doc: 'control/badrcptpatterns: regular expressions for recipients, ! for "unless"',
    open: openQmailPatterns,
    code: 553,
    why: byRecipient,
  },
  {
    name: 'check_qmail_badhelo',
    needs: 'helo',
    doc: 'control/badhelo: regular expressions for HELO names, ! for "unless"',
    open: openQmailPatterns,
    code: 553,
    why: byHelo,
  },
];

function checkQmail(row: QmailRow, list: QmailList, run: Run): Soon<Status> {
  const { facts } = run;
  const address = row.needs === 'sender' ? facts.sender : run.recipient;
  const key = row.needs === 'helo' ? facts.helo : address === null ? null : `${address.local}@${address.domain}`;
  if (key === null) return DUNNO;
  const subject = row.needs === 'helo' ? SUBJECT.helo : row.needs === 'sender' ? SUBJECT.sender : SUBJECT.recipient;
  const text = row.needs === 'helo' ? key : row.needs === 'sender' ? (facts.senderText ?? '') : (facts.recipientText ?? '');
  return run.consult(
    text,
    () => list.has(key),
    (isBad) => (isBad ? run.reject(row.code, '5.7.1', text, subject, row.why) : DUNNO),
  );
}

export const FOREIGN: readonly Restriction[] = [
  {
    names: ['check_sendmail_access'],
    argument: 'file',
    lists: ['client', 'sender', 'relay', 'recipient'],
    isPerRecipient: true,
    doc: "Sendmail's access file: Connect: in the client list, From: in the sender list, To: in the recipient list; in the relay list, who may relay.",
    build: checkSendmail,
  },
  ...QMAIL_ROWS.map(
    (row): Restriction => ({
      names: [row.name],
      argument: 'file',
      needs: row.needs,
      isPerRecipient: row.needs === 'recipient',
      doc: `qmail's ${row.doc}.`,
      build: (argument, builder) => {
        const list = row.open(argument, builder);
        return (run) => checkQmail(row, list, run);
      },
    }),
  ),
];
