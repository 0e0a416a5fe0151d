/** How long a session that only says NOOP waits while another one of the same server and account has the server work hard. */
import { Posthorn } from '../test/harness/posthorn.ts';
import { atEnd, type Owner, tempDir } from '../test/harness/temp.ts';
import { RawImap } from './harness/raw-imap.ts';
import { median } from './harness/table.ts';

export const WAITS_HEAD = ['another session meanwhile', 'server', 'took ms', 'NOOPs', 'median ms', 'longest ms'];
export type WaitsRow = (string | number)[];

const PASSWORD = 'measure-it';
const USER = 'many@perf.test';
/** Shown of a command in a table. */
const SHOWN_CHARS = 60;

/** What the busy session does, one after another; "{round}" is a number of its own. */
export interface BusyWork {
  readonly name: string;
  readonly commands: readonly string[];
}

export const command = (text: string): BusyWork => ({ name: text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS - 1)}…` : text, commands: [text] });

/** On a mailbox of many messages, `rounds` times each. */
export async function waitsOnMessages(label: string, port: number, user: string, password: string, rounds: number): Promise<WaitsRow[]> {
  const [busy, other] = [await RawImap.open(port, user, password), await RawImap.open(port, user, password)];
  await busy.ask('SELECT INBOX');
  const works = [
    'FETCH 1:* (UID FLAGS)',
    'FETCH 1:* (UID ENVELOPE BODYSTRUCTURE)',
    'SEARCH OR TEXT "ab" SUBJECT "xyz"',
    'SEARCH ALL',
    'SORT (SUBJECT FROM) UTF-8 ALL',
    'THREAD REFERENCES UTF-8 ALL',
    'STORE 1:* +FLAGS (\\Flagged)',
    'STORE 1:* -FLAGS.SILENT (\\Flagged)',
    'SELECT INBOX',
  ].map(command);
  const rows: WaitsRow[] = [];
  for (const work of works) rows.push(await waits(label, busy, other, work, rounds));
  await busy.close();
  await other.close();
  return rows;
}

async function waits(label: string, busy: RawImap, other: RawImap, { name, commands }: BusyWork, rounds: number): Promise<WaitsRow> {
  const took: number[] = [];
  const waited: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    let isDone = false;
    const begin = performance.now();
    const done = (async () => {
      for (const one of commands) await busy.ask(one.replaceAll('{round}', String(round)));
    })().finally(() => {
      isDone = true;
    });
    // Thrown below, when the other session has its answer.
    done.catch(() => {});
    while (!isDone) {
      const asked = performance.now();
      await other.ask('NOOP');
      waited.push(performance.now() - asked);
    }
    await done;
    took.push(performance.now() - begin);
  }
  return [name, label, median(took), waited.length, median(waited), waited.reduce((most, each) => Math.max(most, each), 0)];
}

/** Mailboxes: 90 with 100 below each, and one line of 40 levels; 1,000 are subscribed. With INBOX and room for some that come and go, about 10,000. */
const [TOPS, BELOW, LEVELS, SUBSCRIBED] = [90, 100, 40, 1000];

function names(): string[] {
  const all: string[] = [];
  const two = (n: number): string => String(n).padStart(3, '0');
  for (let top = 0; top < TOPS; top += 1) for (let below = 0; below < BELOW; below += 1) all.push(`project-${two(top)}/correspondence with ${two(below)}`);
  all.push(Array.from({ length: LEVELS }, (_, level) => `level${level}`).join('/'));
  return all;
}

/** An account of nearly 10,000 mailboxes on a server of its own. `prefix`: see Posthorn. */
export async function waitsOnMailboxes(
  owner: Owner,
  label: string,
  rounds: number,
  say: (text: string) => void,
  prefix: readonly string[] = [],
): Promise<WaitsRow[]> {
  const server = new Posthorn(tempDir(owner, 'bench-mailboxes'), {
    config: { hostname: 'mx.perf.test', domain: 'perf.test', threads: { loops: 1 }, imap: { notifyMailboxesMax: 20_000 } },
    prefix,
  });
  atEnd(owner, () => server.stop());
  await server.start();
  if (!(await server.admin('domain', 'list')).includes('perf.test')) await server.admin('domain', 'add', 'perf.test');
  await server.addUser(USER, PASSWORD);
  const port = server.port('imap');
  const [busy, other] = [await RawImap.open(port, USER, PASSWORD), await RawImap.open(port, USER, PASSWORD)];
  const all = names();
  const took: number[] = [];
  for (let at = 0; at < all.length; at += 1000) {
    const begin = performance.now();
    for (const name of all.slice(at, at + 1000)) await busy.ask(`CREATE "${name}"`);
    took.push(performance.now() - begin);
  }
  say(`${label}: CREATE of the first 1,000 mailboxes ${took[0]!.toFixed(0)} ms, of the ninth ${took[8]!.toFixed(0)} ms`);
  for (const name of all.slice(0, SUBSCRIBED)) await busy.ask(`SUBSCRIBE "${name}"`);
  const rows: WaitsRow[] = [];
  const see = async (work: BusyWork): Promise<void> => {
    rows.push(await waits(label, busy, other, work, rounds));
  };
  const status = 'STATUS (MESSAGES UIDNEXT UNSEEN UIDVALIDITY HIGHESTMODSEQ)';
  const patterns = Array.from({ length: 100 }, (_, n) => `*w%t*h*0*${n}`).join(' ');
  await see(command('LIST "" "*"'));
  await see(command(`LIST "" "*" RETURN (${status})`));
  await see(command('LIST "" "%"'));
  await see(command('LIST "" "*%*/%*e%*9*"'));
  await see(command(`LIST "" (${patterns})`));
  await see(command('LIST (SUBSCRIBED RECURSIVEMATCH) "" "*" RETURN (CHILDREN)'));
  await see(command('LIST "" "*" RETURN (METADATA (/private/comment /shared/comment))'));
  await see(command('LIST "" "*" RETURN (MYRIGHTS SUBSCRIBED SPECIAL-USE)'));
  await see(command('LSUB "" "*"'));
  await see(command('LSUB "" "%"'));
  await see(command('ESEARCH IN (personal) ALL'));
  await see(command('ESEARCH IN (subtree (project-001 project-002 project-003 level0)) ALL'));
  await see(command('ESEARCH IN (subscribed) UNSEEN'));
  const quoted = all.slice(0, 150).map((name) => `"${name}"`);
  await see({ name: 'ESEARCH IN (mailboxes (150 names)) ALL', commands: [`ESEARCH IN (mailboxes (${quoted.join(' ')})) ALL`] });
  await see({ name: 'ESEARCH IN (subtree (150 names)) ALL', commands: [`ESEARCH IN (subtree (${quoted.join(' ')})) ALL`] });
  await see(command('NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange))'));
  await see({
    name: 'NOTIFY SET STATUS (mailboxes (150 names) …)',
    commands: [`NOTIFY SET STATUS (mailboxes (${quoted.join(' ')}) (MessageNew MessageExpunge))`],
  });
  await see({
    name: 'NOTIFY (personal), then CREATE, RENAME, DELETE',
    commands: [NOTIFY_NAMES, 'CREATE x{round}', 'RENAME x{round} y{round}', 'DELETE y{round}'],
  });
  await see(command('NOTIFY NONE'));
  await see({ name: 'RENAME of a tree of 100', commands: ['RENAME project-005 moved', 'RENAME moved project-005'] });
  for (let top = 10; top < TOPS; top += 1) await busy.ask(`RENAME project-${String(top).padStart(3, '0')} "big/project-${String(top).padStart(3, '0')}"`);
  await see({ name: 'RENAME of a tree of 8,000', commands: ['RENAME big huge', 'RENAME huge big'] });
  const watcher = await RawImap.open(port, USER, PASSWORD);
  await watcher.ask(NOTIFY_NAMES);
  await see({ name: 'the same, heard of by NOTIFY', commands: ['RENAME big huge', 'RENAME huge big'] });
  await see({ name: 'CREATE and DELETE, heard of by NOTIFY', commands: ['CREATE z{round}', 'DELETE z{round}'] });
  await watcher.close();
  await see({
    name: 'DELETE of 200, one by one',
    commands: Array.from({ length: 20 }, (_, n) => `DELETE "project-00{round}/correspondence with ${String(n).padStart(3, '0')}"`),
  });
  await busy.close();
  await other.close();
  return rows;
}
const NOTIFY_NAMES = 'NOTIFY SET (personal (MailboxName SubscriptionChange))';
