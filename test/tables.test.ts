/** Lookup tables against Postfix: what `postmap -q` finds for a key in a table, Posthorn finds too. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TableError } from '../src/directory/tables/errors.ts';
import { createTables } from '../src/directory/tables/open.ts';
import { TABLES_SETTINGS } from '../src/directory/tables/settings.ts';
import type { Tables } from '../src/ports.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { SILENT_LOG } from '../src/system/log.ts';
import { need, run, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';

/** Postfix's own documentation calls these indexed: postmap makes a file of them. */
const INDEXED = ['hash', 'btree', 'lmdb', 'cdb'];

const ACCESS = `# an access table
  # a comment that begins with white space
example.org REJECT no mail from here
.example.net   450 4.7.1 come back later
Mixed.Case.Example OK
user@example.com PREPEND X-Seen: yes
postmaster@ OK
10.1 DUNNO
10.1.2 REJECT
2001:db8 DEFER_IF_PERMIT
<> OK
long.example first line
   second line
# a comment inside a logical line
	third line

   fourth line
doubled first
doubled second
DOUBLED third
"quoted user"@example.org with quotes
"back\\"slash\\\\"@example.org escaped
bare"q" odd
umlaut-\u00c4\u00d6 ok
colon: taken as it stands
novalue
spaces\t \t around the value   
last.example no newline at the end`;
const ACCESS_KEYS = [
  ...[
    'example.org',
    'EXAMPLE.ORG',
    '.example.net',
    'example.net',
    'mixed.case.example',
    'user@example.com',
    'User@Example.Com',
    'postmaster@',
    '10.1',
    '10.1.2',
  ],
  ...['10.1.2.3', '2001:db8', '<>', 'long.example', 'second', 'doubled', 'Doubled', '"quoted user"@example.org', 'quoted user@example.org'],
  ...[
    '"back\\"slash\\\\"@example.org',
    'bare"q"',
    'bareq',
    'umlaut-\u00e4\u00f6',
    'umlaut-\u00c4\u00d6',
    'colon:',
    'colon',
    'novalue',
    'spaces',
    'last.example',
    '#',
    'nobody',
  ],
];

interface Case {
  readonly name: string;
  readonly types: readonly string[];
  readonly text: string;
  readonly keys: readonly string[];
}

const ADDRESSES = [
  'a@example.org',
  'owner-list@example.org',
  'list-outgoing@example.org',
  'owner-list-outgoing@example.org',
  'noddy@my.domain',
  'user%other@example.org',
  'FRIEND@my.domain',
  'friend@public.com',
];
const CASES: readonly Case[] = [
  { name: 'an access table', types: [...INDEXED, 'texthash'], text: ACCESS, keys: ACCESS_KEYS },
  {
    name: 'the examples of the manual',
    types: ['regexp', 'pcre'],
    text: `# Disallow sender-specified routing.
/[%!@].*[%!@]/       550 Sender-specified routing rejected
/^postmaster@/       OK
if !/^owner-/
/^(.*)-outgoing@(.*)$/  550 Use \${1}@\${2} instead
endif
/^noddy@my\\.domain$/
 550 This user is a funny one. You really don't want to send mail to
 them as it only makes their head spin.
~^[[:alnum:]+/]{60,}$~          OK
`,
    keys: [...ADDRESSES, 'a'.repeat(60), 'a'.repeat(59), 'Postmaster@x', `${'a'.repeat(60)}!`],
  },
  {
    name: 'look-around, as in the manual of pcre',
    types: ['pcre'],
    text: `/^(?!owner-)(.*)-outgoing@(.*)/ 550 Use \${1}@\${2} instead
/^(friend@(?!my\\.domain$).*)$/  550 Stick this in your pipe $1
/(?<=x)y(?<!xy)z/ behind
/^(?=.*\\d)(?=.*[a-z])[a-z\\d]{6,}$/i digits and letters
`,
    keys: [...ADDRESSES, 'xyz', 'abc123', 'ABC123', 'abcdef', 'abc12'],
  },
  {
    name: 'flags toggle',
    types: ['regexp', 'pcre'],
    text: `/^Case$/i exact case
/^double$/ii no case
/^first$/ no case either
/^multi$/m lines
`,
    keys: ['Case', 'case', 'CASE', 'double', 'DOUBLE', 'FIRST', 'Multi'],
  },
  {
    name: 'flags of pcre',
    types: ['pcre'],
    text: `/^a b # a comment/x spaces mean nothing
/anchored/A at the start only
/^(u.+)!/U ungreedy $1
/end$/E the very end
/dot.all/s dot
/old/X obsolete
`,
    keys: ['ab', 'a b', 'anchored here', 'not anchored', 'u1!u2!', 'the end', 'dot all', 'dot\tall', 'OLD'],
  },
  {
    name: 'basic expressions, with the x flag off',
    types: ['regexp'],
    text: `/^a\\(b\\)c\\{2\\}$/x group [$1]
/^one\\|^two/x alternative
/^star\\**$/x literal star
/^*begins/x star first
/plus+/x literal plus
`,
    keys: ['abcc', 'abc', 'a(b)c', 'one', 'two', 'three', 'star**', 'star', '*begins', 'begins', 'plus+', 'pluss'],
  },
  {
    name: 'GNU additions to POSIX',
    types: ['regexp'],
    text: `/\\<word\\>/ a word
/^\\w+\\W\\w+$/ two words
/(.)\\1\\1/ three times [$1]
/[[:digit:]]{3,}/ digits
/^[]x]+$/ bracket first
/^[^]x]{2}$/ not those
/^[[.-.][=a=]]+$/ collating
`,
    keys: ['a word here', 'swordfish', 'ab-cd', 'xaaay', 'n1234', ']x]', 'ab', '-a-', 'zz-', 'aab', '+-+-+'],
  },
  {
    name: 'what POSIX matches is the longest',
    types: ['regexp'],
    text: `/^(a|ab)(c|bcd)(d*)$/ <$1> <$2> <$3>
/^(x?)(xy)?/ <$1> <$2>
/^((k)|l)*$/ <$1> <$2>
`,
    keys: ['abcd', 'acd', 'xy', 'x', 'kl', 'lk'],
  },
  {
    name: 'syntax of Perl',
    types: ['pcre'],
    text: `/^(?<name>\\w+)@(?P<host>[\\w.]+)\\z/ named $1 at $2
/\\Qa.b\\E+$/ quoted
/^(?>a+)b/ atomic
/^c++d/ possessive
/^(?i)Big(?-i)Small$/i inline
/^(?:x|(y))+\\b/ loop [\${1}]
/(\\d+)(?#comment)-\\1/ again $1
/^\\x41\\x{42}\\103\\t/i codes
/^[\\w.-]+\\h[[:^alpha:]\\d]$/ classes
/^\\p{Lu}\\p{Ll}$/i properties
/^(?|never)/i unsupported
`.replace(/^.*unsupported\n/m, ''),
    keys: [
      'joe@mx.example',
      'a.bbb',
      'axb',
      'aab',
      'ccd',
      'BIGSmall',
      'bigsmall',
      'xyx',
      'yy',
      '12-12',
      '12-13',
      'ABC\t',
      'abc\t',
      'a-b 1',
      'a-b x',
      'Xy',
      'xy',
      'caaab',
    ],
  },
  {
    name: 'if and endif',
    types: ['regexp', 'pcre'],
    text: `if /a/
if !/b/
/c/ a, no b, c
endif
/d/ a, d
endif trailing
! /e/ no e
IF /f/
/e/ e and f
ENDIF
/./ rest $$1
`,
    keys: ['ac', 'abc', 'abd', 'ad', 'acd', 'e', 'ef', 'fe', 'ea', 'xyz', 'eac'],
  },
  {
    name: 'groups that take no part are empty',
    types: ['regexp', 'pcre'],
    text: `/^(a)?(b)?c$/ [$1] [$2]\n/^(p)|(q)$/ <\${1}> <$(2)>\n`,
    keys: ['c', 'ac', 'bc', 'abc', 'p', 'q', 'r'],
  },
  {
    name: 'networks',
    types: ['cidr'],
    text: `192.168.1.1             OK
192.168.0.0/16          REJECT
[10.0.0.0]/8 bracketed
[172.16.0.0/12] bracketed whole
2001:db8::1             OK
2001:db8::/32           REJECT
::ffff:9.9.9.0/120 mapped
`,
    keys: [
      '192.168.1.1',
      '192.168.1.2',
      '192.169.0.1',
      '10.255.0.1',
      '172.31.255.255',
      '172.32.0.0',
      '2001:db8::1',
      '2001:0DB8:0::1',
      '2001:db8:1::',
      '2001:db9::',
      '::ffff:9.9.9.9',
      '9.9.9.9',
      'name',
      '[10.0.0.1]',
      '010.0.0.1',
      '::',
    ],
  },
  {
    name: 'networks with if and !',
    types: ['cidr'],
    text: `if 10.0.0.0/8
10.1.0.0/16 x
if !10.2.0.0/16
10.3.0.0/16 y
endif
10.0.0.0/8 w
ENDIF
!192.0.2.0/24 not there
0.0.0.0/0 any
::/0 any6
`,
    keys: ['10.1.1.1', '10.3.1.1', '10.2.1.1', '10.4.4.4', '192.0.2.7', '1.1.1.1', '::1'],
  },
];

/** Tables that stand in the configuration. */
const SPECS: readonly (readonly [spec: string, keys: readonly string[]])[] = [
  ['inline:{a=1,b=2}', ['a', 'b', 'c', 'A']],
  ['inline:{ { key = value with spaces }, Other=x, a=1 a=3 }', ['key', 'other', 'OTHER', 'a']],
  ['inline:{a=b=c}', ['a']],
  ['static:one', ['a', 'b']],
  ['static:{ two  words }', ['a']],
  ['unionmap:{static:one,inline:{a=two}}', ['a', 'b']],
  ['unionmap:{inline:{a=one, {b = x y}}, inline:{b=two}}', ['a', 'b', 'c']],
  ['unionmap:{static:x,pcre:{{/b/ y}}}', ['a', 'b', 'B']],
  ['pipemap:{inline:{a=B},inline:{b=c}}', ['a', 'b', 'c']],
  ['pipemap:{pcre:{{/(.*)/ $1}},pcre:{{/(B)/i big$1}}}', ['B', 'b']],
  ['pipemap:{pcre:{{/^(.*)@/ $1}}, inline:{joe=found}}', ['joe@x', 'ann@x']],
  ['pcre:{ {if /a/} {/b/ both}, {endif} {/./ any} }', ['ab', 'a', 'b']],
  ['regexp:{{/a{2}/ twice}}', ['aa', 'a']],
  ['cidr:{{10.0.0.0/8 ten}, {!10.0.0.0/8 other}}', ['10.1.1.1', '11.1.1.1', '::1']],
  ['randmap:{same}', ['a']],
  ['unionmap:{ static:{a b}, static:c }', ['a']],
];

function tablesOf(t: TestContext): Tables {
  const tables = createTables({ log: SILENT_LOG, settings: () => defaultsOf(TABLES_SETTINGS), now: () => Date.now() });
  t.after(() => tables.close());
  return tables;
}

async function oracle(config: string, spec: string, keys: readonly string[]): Promise<Map<string, string>> {
  const { stdout, stderr, code } = await run('postmap', ['-c', config, '-q', '-', spec], { input: keys.map((key) => `${key}\n`).join('') });
  assert.doesNotMatch(stderr, /fatal|(?:regexp|pcre|cidr) map (?!.*ignoring)/, stderr);
  assert.ok(code === 0 || code === 1, stderr);
  // A key may hold a tab, as the separator does: known keys are looked for at the start of the line.
  return new Map(
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const key = keys.filter((candidate) => line.startsWith(`${candidate}\t`)).sort((a, b) => b.length - a.length)[0]!;
        return [key, line.slice(key.length + 1)];
      }),
  );
}

test('tables of files and of the configuration answer as postmap -q does', async (t) => {
  need('postmap');
  const config = tempDir(t, 'tables');
  writeFileSync(join(config, 'main.cf'), 'compatibility_level = 3.6\n');
  writeFileSync(join(config, 'master.cf'), '');
  const tables = tablesOf(t);
  let pairs = 0;
  const compare = async (spec: string, keys: readonly string[]): Promise<void> => {
    const table = tables.open(spec);
    const expected = await oracle(config, spec, keys);
    for (const key of keys) {
      assert.equal(await table.find(key), expected.get(key) ?? null, `${spec}, key ${JSON.stringify(key)}`);
      pairs += 1;
    }
  };
  for (const [index, { name, types, text, keys }] of CASES.entries())
    for (const type of types)
      await t.test(`${type}: ${name}`, async () => {
        const file = join(config, `${type}-${index}`);
        writeFileSync(file, text);
        if (INDEXED.includes(type)) await succeed('postmap', ['-c', config, `${type}:${file}`]);
        await compare(`${type}:${file}`, keys);
      });
  for (const [spec, keys] of SPECS) await t.test(spec, () => compare(spec, keys));
  assert.ok(pairs >= 150, `${pairs} pairs of table and key were compared`);
  t.diagnostic(`${pairs} pairs of table and key`);

  await t.test('fail: fails for now, as it does with postmap', async () => {
    const { code, stderr } = await run('postmap', ['-c', config, '-q', 'a', 'unionmap:{fail:x,static:y}']);
    assert.equal(code, 1);
    assert.match(stderr, /query error/);
    assert.throws(() => tables.open('unionmap:{fail:x,static:y}').find('a'), TableError);
  });

  await t.test('what postmap lists of a file, the table lists', async () => {
    const file = join(config, 'hash-0');
    const theirs = (await succeed('postmap', ['-c', config, '-s', `hash:${file}`])).trimEnd().split('\n').sort();
    const ours = [];
    for await (const [key, value] of tables.open(`hash:${file}`).entries!()) ours.push(`${key}\t${value}`);
    assert.deepEqual(ours.sort(), theirs);
  });
});
