import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ALICE, type Client, settle, TestServer } from './testing.ts';

/** Mailboxes as a client believes them to be, by what it is told. */
class Belief {
  readonly mailboxes = new Map<string, { isSubscribed: boolean; messages: number; uidNext: number }>();

  hear(text: string): void {
    for (const line of text.split('\r\n')) {
      const list = /^\* LIST \(([^)]*)\) "\/" (\S+)(?: \("OLDNAME" \((\S+)\)\))?$/.exec(line);
      const status = /^\* STATUS (\S+) \((.*)\)$/.exec(line);
      if (list !== null) this.#list(list[1]!, list[2]!, list[3]);
      else if (status !== null) {
        const known = this.#of(status[1]!);
        known.messages = Number(/MESSAGES (\d+)/.exec(status[2]!)?.[1] ?? known.messages);
        known.uidNext = Number(/UIDNEXT (\d+)/.exec(status[2]!)?.[1] ?? known.uidNext);
      } else assert.doesNotMatch(line, /OVERFLOW|^\* NO|SERVERBUG/);
    }
  }

  #of(name: string) {
    const known = this.mailboxes.get(name) ?? { isSubscribed: false, messages: 0, uidNext: 1 };
    this.mailboxes.set(name, known);
    return known;
  }

  #list(attributes: string, name: string, old: string | undefined): void {
    if (old !== undefined) {
      for (const [each, known] of [...this.mailboxes]) {
        if (each !== old && !each.startsWith(`${old}/`)) continue;
        this.mailboxes.delete(each);
        this.mailboxes.set(name + each.slice(old.length), known);
      }
    }
    if (attributes.includes('\\NonExistent')) this.mailboxes.delete(name);
    else this.#of(name).isSubscribed = attributes.includes('\\Subscribed');
  }
}

const NAMES = ['A', 'B', 'A/x', 'B/x', 'A/x/y', 'C'];
const name = fc.constantFrom(...NAMES);
type Step = readonly ['create' | 'delete' | 'subscribe' | 'deliver' | 'expunge' | 'noop' | 'again' | 'turn', string] | readonly ['rename', string, string];
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(
    fc.constantFrom<'create' | 'delete' | 'subscribe' | 'deliver' | 'expunge'>(
      'create',
      'create',
      'create',
      'delete',
      'subscribe',
      'deliver',
      'deliver',
      'expunge',
    ),
    name,
  ),
  fc.tuple(fc.constant<'rename'>('rename'), name, name),
  fc.tuple(fc.constantFrom<'noop' | 'again' | 'turn'>('noop', 'again', 'turn', 'turn'), fc.constant('')),
);

const GROUPS = '(PERSONAL (MessageNew MessageExpunge MailboxName SubscriptionChange))';

async function run(made: TestServer, client: Client, belief: Belief, [kind, what, to]: readonly [string, string, string?]): Promise<void> {
  const { store } = made;
  const row = store.mailboxByName(ALICE.id, what);
  if (kind === 'noop') client.send('n NOOP\r\n');
  else if (kind === 'again') client.send(`o NOTIFY SET ${GROUPS}\r\n`);
  else if (kind === 'turn') await new Promise((resolve) => setImmediate(resolve));
  else if (kind === 'create' && row === null) await store.createMailbox(ALICE.id, what);
  else if (row === null) return;
  else if (kind === 'delete') await store.deleteMailbox(ALICE.id, row.id).catch(() => {});
  else if (kind === 'subscribe') await store.subscribe(ALICE.id, what, !row.isSubscribed);
  else if (kind === 'deliver' && row.isSelectable) store.deliver(row.id, 'Subject: x\r\n\r\n');
  else if (kind === 'expunge')
    await store.expunge(
      ALICE.id,
      row.id,
      store.messages(ALICE.id, row.id, 0, 0xffffffff, 1).map(([uid]) => uid),
      false,
    );
  else if (kind === 'rename') {
    // The store in memory looks only at the mailbox itself.
    const names = new Set(store.mailboxes(ALICE.id).map((each) => each.name));
    const collides = [...names].some((each) => each.startsWith(`${what}/`) && names.has(to + each.slice(what.length)));
    if (!collides) await store.renameMailbox(ALICE.id, row.id, to!).catch(() => {});
  }
  belief.hear(client.output());
}

for (const isSlow of [false, true]) {
  test(`whatever happens to mailboxes, a client that is told knows how they are${isSlow ? ', also where each look takes many turns' : ''}`, async (t) => {
    let now = 0;
    if (isSlow)
      t.mock.method(performance, 'now', () => {
        now += 5;
        return now;
      });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const made = new TestServer();
        const client = await made.client();
        const belief = new Belief();
        await client.exchange(`n NOTIFY SET STATUS ${GROUPS}\r\n`);
        belief.mailboxes.set('INBOX', { isSubscribed: made.store.mailboxByName(ALICE.id, 'INBOX')!.isSubscribed, messages: 0, uidNext: 1 });
        for (const each of steps) await run(made, client, belief, each as readonly [string, string, string?]);
        await settle(() => client.socket.heard.length);
        belief.hear(client.output());
        const told = [...belief.mailboxes].map(([each, { isSubscribed, messages, uidNext }]) => `${each} ${isSubscribed} ${messages} ${uidNext}`).sort();
        const real = made.store.mailboxes(ALICE.id).filter((row) => row.isSelectable);
        assert.deepEqual(told, real.map((row) => `${row.name} ${row.isSubscribed} ${row.exists} ${row.uidNext}`).sort());
        client.disconnect();
      }),
      { seed: 5465, numRuns: 1000 },
    );
  });
}
