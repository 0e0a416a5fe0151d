/** Restrictions that say the same whatever is asked about, and those about the protocol. */
import { setTimeout as sleep } from 'node:timers/promises';
import { POLICY_LIMITS } from '../limits.ts';
import { type Restriction, WrongArgument } from '../restriction.ts';
import { after, DUNNO, PERMIT } from '../status.ts';

export const GENERAL: readonly Restriction[] = [
  { names: ['permit'], doc: 'Permits; nothing after it is asked.', build: () => () => PERMIT },
  {
    names: ['reject'],
    doc: 'Refuses; nothing after it is asked.',
    build: () => (run, name, subject) => run.reject(run.codes.reject, '5.7.1', name, subject, 'Access denied'),
  },
  {
    names: ['defer'],
    doc: 'Refuses for now; nothing after it is asked.',
    build: () => (run, name, subject) => run.reject(run.codes.defer, '4.3.2', name, subject, 'Try again later'),
  },
  {
    names: ['defer_if_permit'],
    doc: 'Refuses for now when everything else permits.',
    build: () => (run, name, subject) => run.tempfail('defer_if_permit', 450, '4.7.0', name, subject, 'defer_if_permit requested'),
  },
  {
    names: ['defer_if_reject'],
    doc: 'What refuses later, refuses for now only.',
    build: () => (run, name, subject) => run.deferRejection(450, '4.7.0', name, subject, 'defer_if_reject requested'),
  },
  {
    names: ['sleep'],
    argument: 'seconds',
    isPerRecipient: true,
    doc: 'Waits so many seconds before going on.',
    build: (argument) => {
      if (!/^\d{1,6}$/.test(argument)) throw new WrongArgument('needs a number of seconds');
      const seconds = Math.min(Number(argument), POLICY_LIMITS.sleepSeconds);
      // A session that ends meanwhile has no use for the answer: then it goes on at once.
      return (run) =>
        seconds === 0
          ? DUNNO
          : after(
              sleep(seconds * 1000, undefined, { signal: run.signal }).catch(() => undefined),
              () => DUNNO,
            );
    },
  },
  {
    names: ['reject_unauth_pipelining'],
    doc: 'Refuses clients that send commands ahead where the protocol says they must wait (RFC 2920).',
    build: () => (run, name, subject) => (run.facts.isPipelining ? run.reject(503, '5.5.0', name, subject, 'Improper use of SMTP command pipelining') : DUNNO),
  },
  {
    names: ['reject_plaintext_session'],
    doc: 'Refuses sessions without TLS.',
    build: () => (run) => (run.facts.tls === null ? run.refuse(run.codes.plaintextReject, '4.7.1', 'Session encryption is required') : DUNNO),
  },
  {
    names: ['reject_multi_recipient_bounce'],
    needs: 'sender',
    isPerRecipient: true,
    doc: 'Refuses messages from <> to more than one recipient: reports have one.',
    build: () => (run, name, subject) => {
      const { facts } = run;
      const isTooMany = facts.recipientCount > (run.stage === 'data' || run.stage === 'endOfData' ? 1 : 0);
      return facts.senderText === '' && isTooMany ? run.reject(run.codes.multiRecipientBounceReject, '5.5.3', name, subject, 'Multi-recipient bounce') : DUNNO;
    },
  },
];
