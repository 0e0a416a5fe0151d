/** May this login send as this sender: the reject_*sender_login_mismatch family. */
import type { Check } from '../engine.ts';
import type { Restriction } from '../restriction.ts';
import type { Run } from '../run.ts';
import { after, DUNNO, type Soon, type Status } from '../status.ts';

type Ownership = 'owned' | 'other' | 'nobody';

function ownership(run: Run, use: (ownership: Ownership, text: string) => Soon<Status>): Soon<Status> {
  const { sender, senderText, login } = run.facts;
  if (sender === null) return DUNNO;
  const text = senderText ?? '';
  return run.consult(
    text,
    () => run.context.owners.ownership(login, sender),
    (found) => use(found, text),
  );
}

/** Signed in, and not an owner. `sparesUnowned`: addresses without any owner are free for all. */
const signedIn =
  (sparesUnowned: boolean): Check =>
  (run) => {
    const { login } = run.facts;
    if (login === null) return DUNNO;
    return ownership(run, (found, text) =>
      found === 'owned' || (found === 'nobody' && sparesUnowned)
        ? DUNNO
        : run.refuse(553, '5.7.1', `<${text}>: Sender address rejected: not owned by user ${login}`),
    );
  };

/** Not signed in, and the address has an owner. */
const notSignedIn: Check = (run) =>
  run.facts.login !== null
    ? DUNNO
    : ownership(run, (found, text) => (found === 'nobody' ? DUNNO : run.refuse(553, '5.7.1', `<${text}>: Sender address rejected: not logged in`)));

const both =
  (first: Check, second: Check): Check =>
  (run, name, subject) =>
    after(first(run, name, subject), (status) => (status === DUNNO ? second(run, name, subject) : status));

export const LOGIN: readonly Restriction[] = [
  {
    names: ['reject_authenticated_sender_login_mismatch'],
    needs: 'sender',
    doc: 'Refuses senders that the account which signed in does not own.',
    build: () => signedIn(false),
  },
  {
    names: ['reject_unauthenticated_sender_login_mismatch'],
    needs: 'sender',
    doc: 'Refuses senders that somebody owns, from clients that did not sign in.',
    build: () => notSignedIn,
  },
  {
    names: ['reject_sender_login_mismatch'],
    needs: 'sender',
    doc: 'Both: reject_authenticated_sender_login_mismatch and reject_unauthenticated_sender_login_mismatch.',
    build: () => both(signedIn(false), notSignedIn),
  },
  {
    names: ['reject_known_sender_login_mismatch'],
    needs: 'sender',
    doc: 'Both, for senders that somebody owns.',
    build: () => both(signedIn(true), notSignedIn),
  },
];
