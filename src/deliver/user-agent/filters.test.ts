/** What filters and forward files of a user get done by the real worker: files, programs, and questions about the account. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Bench, userAgentBench } from './testing.ts';
import type { LocalConfiguration } from './types.ts';

const MESSAGE = 'Subject: hello\nFrom: sender@far.test\nMessage-ID: <1@far.test>\n\nbody\n';
const isRoot = process.getuid?.() === 0;
const text = (path: string): string => readFileSync(path, 'utf8');

describe('filters in the user agent, as root', { skip: !isRoot && 'needs root to become other users' }, () => {
  let bench: Bench;
  before(async () => {
    bench = await userAgentBench();
  });
  after(async () => {
    await bench[Symbol.asyncDispose]();
  });
  const at = (name: string): string => join(bench.home, name);
  const modeOf = (name: string): number => statSync(at(name)).mode & 0o777;

  async function withFiles(files: Record<string, string>, work: () => Promise<void>): Promise<void> {
    for (const [name, content] of Object.entries(files)) bench.put(name, content);
    try {
      await work();
    } finally {
      for (const name of Object.keys(files)) rmSync(at(name), { force: true });
    }
  }

  test('procmail: programs have its PATH, the variables of the delivery, and LOGFILE for what they complain about', () =>
    withFiles({ '.procmailrc': 'LOGFILE=log\n:0 cw\n| echo "$PATH|$DEFAULT|$EXTENSION|$1" > said; echo oops >&2\n:0\n/dev/null\n' }, async () => {
      const answer = await bench.deliver(MESSAGE, { detail: 'Ext', final: { local: 'games+Ext', domain: 'example.org' } });
      assert.equal(answer.outcome, 'delivered', answer.text);
      assert.equal(text(at('said')), `${bench.home}/bin:/usr/local/bin:/usr/bin:/bin|/var/mail/games|ext|\n`);
      assert.match(text(at('log')), /^oops$/m);
    }));

  test('procmail: UMASK decides about files and folders, whatever the umask of the process is', () =>
    withFiles({ '.procmailrc': 'UMASK=027\n:0 c\nmasked\n:0 c\nmasked-dir/\nUMASK=022\n:0 c\nmarked\n:0\nmarked\n' }, async () => {
      bench.put('masked', '', 0o600);
      rmSync(at('masked'));
      assert.equal((await bench.deliver(MESSAGE)).outcome, 'delivered');
      assert.deepEqual([modeOf('masked'), modeOf('masked-dir'), modeOf('masked-dir/new'), modeOf('marked')], [0o640, 0o750, 0o750, 0o645]);
      chmodSync(at('marked'), 0o600);
      assert.equal((await bench.deliver(MESSAGE)).outcome, 'delivered');
      assert.equal(modeOf('marked'), 0o601);
    }));

  test('procmail: a lock file that no recipe names is nobody to wait for', () =>
    withFiles({ '.procmailrc': ':0\nunlocked\n', 'unlocked.lock': '' }, async () => {
      assert.equal((await bench.deliver(MESSAGE)).outcome, 'delivered');
      assert.match(text(at('unlocked')), /Subject: hello/);
      assert.ok(existsSync(at('unlocked.lock')));
    }));

  test('procmail: a full mailbox waits for room, whatever the exit code of procmail says', async () => {
    for (const part of ['', '/new', '/cur', '/tmp']) mkdirSync(at(`Full${part}`), { mode: 0o777 });
    for (const part of ['', '/new', '/cur', '/tmp']) chmodSync(at(`Full${part}`), 0o777);
    bench.put('Full/maildirsize', '10S\n5 1\n');
    await withFiles({ '.procmailrc': 'NOTHING=here\n' }, async () => {
      const answer = await bench.deliver(MESSAGE, {}, { mailbox: 'Full/' });
      assert.deepEqual([answer.outcome, answer.enhanced], ['deferred', '4.2.2'], answer.text);
    });
    await withFiles({ '.procmailrc': 'DEFAULT=/nowhere/at/all\nORGMAIL=/nowhere/else\n' }, async () => {
      const answer = await bench.deliver(MESSAGE, {}, { mailbox: 'Full/' });
      assert.deepEqual([answer.outcome, answer.enhanced], ['failed', '5.2.0'], answer.text);
    });
  });

  const MAILDIR: Partial<LocalConfiguration> = { mailbox: 'SieveBox/' };

  test('Sieve: mailboxexists and flags on a maildir, and an included script', async () => {
    mkdirSync(at('sieve'), { mode: 0o755 });
    const script = `require ["mailbox", "fileinto", "imap4flags", "include"];
      if mailboxexists "Nowhere" { fileinto "Nowhere"; }
      include :personal "rest";`;
    writeFileSync(at('sieve/rest.sieve'), 'require ["fileinto", "imap4flags"]; fileinto :flags ["\\\\Seen", "\\\\Flagged"] "Lists/Cars";');
    await withFiles({ '.dovecot.sieve': script }, async () => {
      const answer = await bench.deliver(MESSAGE, {}, MAILDIR);
      assert.deepEqual([answer.outcome, answer.problem], ['delivered', null], answer.text);
      assert.equal(existsSync(at('SieveBox/.Nowhere')), false);
      assert.match(readdirSync(at('SieveBox/.Lists.Cars/cur'))[0]!, /:2,FS$/);
    });
    await withFiles({ '.dovecot.sieve': 'require ["mailbox", "fileinto"]; if mailboxexists "Lists/Cars" { fileinto "Found"; }' }, async () => {
      await bench.deliver(MESSAGE, {}, MAILDIR);
      assert.equal(readdirSync(at('SieveBox/.Found/new')).length, 1);
    });
  });

  test('Sieve: what cannot be filed is in INBOX', () =>
    withFiles({ '.dovecot.sieve': 'require "fileinto"; fileinto "Blocked";' }, async () => {
      bench.put('SieveBox/.Blocked', 'a file in the way');
      const before = readdirSync(at('SieveBox/new')).length;
      assert.equal((await bench.deliver(MESSAGE, {}, MAILDIR)).outcome, 'delivered');
      assert.equal(readdirSync(at('SieveBox/new')).length, before + 1);
    }));

  test('Sieve: mailboxes of the store, their special uses and ids are as the courier says', () => {
    const script = `require ["mailbox", "fileinto", "special-use", "mailboxid"];
      if not mailboxexists ["Here", "inbox"] { discard; }
      if mailboxexists "Gone" { discard; }
      if not specialuse_exists "\\\\Junk" { discard; }
      if specialuse_exists "\\\\Sent" { discard; }
      if specialuse_exists "Here" "\\\\Junk" { discard; }
      if not mailboxidexists "F7-1" { discard; }
      fileinto :mailboxid "F7-1" "Elsewhere";`;
    return withFiles({ '.dovecot.sieve': script }, async () => {
      const storeMailboxes = [
        { name: 'INBOX', role: 'inbox', objectId: 'F1-1' },
        { name: 'Here', role: null, objectId: 'F7-1' },
        { name: 'Spam', role: 'junk', objectId: 'F3-1' },
      ] as const;
      const answer = await bench.deliver(MESSAGE, { storeMailboxes });
      assert.equal(answer.problem, null);
      assert.deepEqual(
        answer.keeps.map(({ mailbox, mailboxId }) => [mailbox, mailboxId]),
        [['Elsewhere', 'F7-1']],
      );
    });
  });

  test('Sieve: programs are those of the folder, never of PATH', async () => {
    const programs = join(bench.folder, 'programs');
    mkdirSync(programs);
    writeFileSync(join(programs, 'note'), `#!/bin/sh\ncat > ${at('noted')}\n`);
    chmodSync(join(programs, 'note'), 0o755);
    const { sieve } = bench.configuration;
    const allowed = { ...sieve, 'sieve.programs': true, 'sieve.programDirectory': programs };
    const deliver = () => bench.deliver(MESSAGE, {}, { sieve: allowed });
    await withFiles({ '.dovecot.sieve': 'require "vnd.dovecot.pipe"; pipe "note";' }, async () => {
      const answer = await deliver();
      assert.deepEqual([answer.outcome, answer.keeps.length], ['delivered', 0], JSON.stringify(answer.problem));
      assert.match(text(at('noted')), /Subject: hello/);
    });
    await withFiles({ '.dovecot.sieve': 'require "vnd.dovecot.pipe"; pipe "true";' }, async () => {
      const answer = await deliver();
      assert.deepEqual([answer.outcome, answer.keeps.length], ['delivered', 1]);
      assert.ok(answer.problem !== null);
    });
  });

  test('Sieve: what the envelope says of reports, and what was seen before', () => {
    const script = `require ["envelope", "envelope-dsn", "duplicate", "fileinto"];
      if duplicate { fileinto "Again"; stop; }
      if allof (envelope "notify" "SUCCESS", envelope "ret" "HDRS", envelope "envid" "id1") { fileinto "Asked"; }`;
    return withFiles({ '.dovecot.sieve': script }, async () => {
      const dsn = { notify: 'SUCCESS,FAILURE', ret: 'HDRS', envid: 'id1' } as const;
      const boxes: string[] = [];
      for (let i = 0; i < 2; i += 1) boxes.push(...(await bench.deliver(MESSAGE, { dsn })).keeps.map(({ mailbox }) => mailbox));
      assert.deepEqual(boxes, ['Asked', 'Again']);
    });
  });

  test('.forward: the own address in any local domain is the mailbox; the extension file has the delimiter of the address', async () => {
    const configuration = { localDomains: ['other.test'], recipientDelimiter: '+-' };
    await withFiles({ '.forward': 'Games+x@Other.test, games@far.test\n', '.forward-list': 'list@far.test\n' }, async () => {
      const answer = await bench.deliver(MESSAGE, {}, configuration);
      assert.deepEqual([answer.keeps.length, answer.forwards.map(({ address }) => address.domain)], [1, ['far.test']]);
      const list = await bench.deliver(MESSAGE, { detail: 'list', final: { local: 'games-list', domain: 'example.org' } }, configuration);
      assert.deepEqual(
        list.forwards.map(({ address }) => address.local),
        ['list'],
      );
    });
  });

  test('.forward: programs in its lists run only where that is allowed', () =>
    withFiles({ '.forward': `:include:${at('members')}\n`, members: '"|cat > by-list"\n' }, async () => {
      assert.match((await bench.deliver(MESSAGE)).problem?.text ?? '', /programs may not be named here/);
      assert.equal(existsSync(at('by-list')), false);
      const answer = await bench.deliver(MESSAGE, {}, { commandPlaces: ['forward', 'include'] });
      assert.deepEqual([answer.outcome, answer.problem, existsSync(at('by-list'))], ['delivered', null, true]);
    }));

  test('.qmail: a link is followed, and the owner file of a list makes its sender', () =>
    withFiles({ '.qmail-list': '&bob@far.test\n', '.qmail-list-owner': '' }, async () => {
      renameSync(at('.qmail-list'), at('real-list'));
      symlinkSync('real-list', at('.qmail-list'));
      const address = { local: 'games-list', domain: 'example.org' };
      const answer = await bench.deliver(MESSAGE, { detail: 'list', recipient: address, final: address }, { style: 'qmail', filters: [] });
      assert.deepEqual(
        answer.forwards.map(({ address: to, sender }) => [to.local, sender?.local]),
        [['bob', 'games-list-owner']],
        answer.text,
      );
    }));

  test('a program of an alias is told the alias; what strangers wrote has no characters of the shell', async () => {
    const answer = await bench.deliver(MESSAGE, {
      work: { kind: 'command', command: 'echo "$LOGNAME $USER $LOCAL $SENDER $HOME."; exit 1', user: 'games' },
      final: { local: 'Sales+Now', domain: 'example.org' },
      detail: 'Now',
      sender: { local: '$(id) "x', domain: 'far.test' },
    });
    assert.match(answer.text, /output: sales sales sales\+now __id___x@far\.test \.$/);
  });

  test('a program that is not there waits for its installation; one the shell does not find does not', async () => {
    const run = async (command: string) => {
      const { outcome, enhanced } = await bench.deliver(MESSAGE, { work: { kind: 'command', command, user: 'games' } });
      return [outcome, enhanced];
    };
    assert.deepEqual(await run('/no/such/program'), ['deferred', '4.3.0']);
    assert.deepEqual(await run('no-such-program-here'), ['failed', '5.3.0']);
    assert.deepEqual(await run('echo 2.0.0 well; exit 1'), ['failed', '5.0.0']);
    assert.deepEqual(await run('/bin/sh -c true'), ['delivered', '2.0.0']);
  });
});
