/** ETRN (RFC 1985): a host that was away asks for the mail that waits for its domain. */
import { BoundedMap } from '../../directory/bounded.ts';
import type { Command, Service } from './service.ts';
import { GREETED } from './service.ts';
import type { SmtpSession } from './session.ts';

const DOMAIN_CHARACTERS_MAX = 255;
/** Entries tried again by one command. */
const ENTRIES_MAX = 1000;

function etrn(session: SmtpSession, rest: string): void {
  const domain = (rest.startsWith('@') ? rest.slice(1) : rest).toLowerCase();
  if (session.transaction !== null) {
    session.reply(503, '5.5.1', 'Not within a transaction');
    return;
  }
  if (domain.length > DOMAIN_CHARACTERS_MAX || !/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(domain)) {
    session.reply(501, '5.5.4', 'Syntax: ETRN domain');
    return;
  }
  const { judge, context } = session;
  if (judge === null) {
    session.reply(500, '5.5.2', 'Command not recognized');
    return;
  }
  session.settle(judge.etrn(domain), (refusal) => {
    if (refusal !== null) {
      session.answer(refusal);
      return;
    }
    const asked = askedOf(session.service);
    const { now } = session.service.idle;
    if (now - (asked.domains.get(domain) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) {
      session.write(`250 2.0.0 Queuing for ${domain} has started already\r\n`);
      return;
    }
    const begin = performance.now();
    if (begin < asked.restsUntil) {
      session.write('458 4.3.2 Too many ask for their mail now, try again in a minute\r\n');
      return;
    }
    const entryIds = context.reader
      .rows('SELECT DISTINCT entry_id FROM queue_recipient WHERE domain=? AND attempts>0 ORDER BY entry_id LIMIT ?', domain, ENTRIES_MAX)
      .map((row) => row[0] as number);
    const end = performance.now();
    if (end - begin > SLOW_MS) asked.restsUntil = end + (end - begin) * REST_FACTOR;
    if (entryIds.length === 0) {
      session.write(`251 2.0.0 OK, no messages waiting for ${domain}\r\n`);
      return;
    }
    asked.domains.set(domain, now, DOMAINS_MAX);
    session.log('info', 'smtp.etrn', { domain, entries: entryIds.length });
    const retried = context.writer.run<unknown>('queue.retry', { entryIds }).then(
      () => true,
      (cause: unknown) => {
        session.log('warn', 'smtp.etrn.failed', { domain, cause });
        return false;
      },
    );
    session.wait(retried, (isDone) => session.write(isDone ? `250 2.0.0 Queuing for ${domain} started\r\n` : '458 4.3.0 Cannot start the queue now\r\n'));
  });
}

/** Anybody may ask, and the answer is a walk through all that waits: each domain once in a while, and the walks take a small part of the time. */
interface Asked {
  /** On the clock of `performance.now`. */
  restsUntil: number;
  /** When its mail was last set in motion, on the sweeper's clock. */
  readonly domains: BoundedMap<string, number>;
}
const AGAIN_MS = 60_000;
/** A walk that took longer, with a long queue, is not taken again at once. */
const SLOW_MS = 20;
const REST_FACTOR = 20;
const DOMAINS_MAX = 1000;
const askedByService = new WeakMap<Service, Asked>();

function askedOf(service: Service): Asked {
  let asked = askedByService.get(service);
  if (asked === undefined) askedByService.set(service, (asked = { restsUntil: 0, domains: new BoundedMap() }));
  return asked;
}

const ETRN = ['ETRN'];

export const etrnCommand: Command = {
  syntax: 'ETRN domain',
  from: GREETED,
  modes: ['smtp'],
  isOffered: (session) => session.judge !== null,
  keywords: () => ETRN,
  isJunk: true,
  run: etrn,
};
