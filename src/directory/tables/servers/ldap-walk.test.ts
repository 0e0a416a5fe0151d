import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from 'ldapts';
import { Collected, keyParts, parseTemplate, type Template } from './expand.ts';
import { LdapRefusal, type LdapSearch, NO_SUCH_OBJECT } from './ldap-link.ts';
import { type ResultAttributes, Walk, type WalkRules } from './ldap-walk.ts';

const NOTHING: ResultAttributes = { ordinary: [], special: [], terminal: [], leaf: [] };
const FORMAT = parseTemplate('%s') as Template;

async function values(
  attributes: Partial<ResultAttributes>,
  tree: Readonly<Record<string, Entry[]>>,
  rules: Partial<WalkRules> = {},
): Promise<{ text: string | null; searches: LdapSearch[]; lost: string[] }> {
  const all = { ...NOTHING, ...attributes };
  const whole: WalkRules = {
    attributes: all,
    requested: Object.values(all).flat(),
    recursionLimit: 10,
    sizeLimit: 0,
    expansionLimit: 0,
    derefAliases: 'never',
    timeoutMs: 1000,
    ...rules,
  };
  const searches: LdapSearch[] = [];
  const lost: string[] = [];
  const collected = new Collected(FORMAT, whole.expansionLimit, keyParts('key', { user: false, domain: false, labels: 0 })!);
  const walk = new Walk(
    whole,
    collected,
    async (search) => {
      searches.push(search);
      const entries = tree[search.base];
      if (entries === undefined) throw new LdapRefusal(NO_SUCH_OBJECT, 'no such object');
      return { entries, references: [] };
    },
    (name) => lost.push(name),
  );
  await walk.entries(tree['']!);
  return { text: collected.result(), searches, lost };
}

test('values of all entries and attributes, in the order of the server', async () => {
  const tree = {
    '': [
      { dn: 'a', MAIL: ['1', '2'], other: 'x', 'mail;lang-de': '3' },
      { dn: 'b', uid: 'u', mail: [] as string[] },
    ] as Entry[],
  };
  assert.equal((await values({ ordinary: ['mail', 'uid'] }, tree)).text, '1,2,3,u');
});

test('members are followed; leaf attributes count only where there are none', async () => {
  const tree = { '': [{ dn: 'g', member: ['m', 'gone'], mail: 'group' }] as Entry[], m: [{ dn: 'm', mail: 'one' }] as Entry[] };
  const { text, lost } = await values({ special: ['member'], leaf: ['mail'] }, tree);
  assert.equal(text, 'one');
  assert.deepEqual(lost, ['gone']);
  assert.equal((await values({ special: ['member'], ordinary: ['mail'] }, tree)).text, 'one,group');
});

test('a terminal attribute ends it', async () => {
  const tree = { '': [{ dn: 'g', member: 'm', maildrop: 'list', mail: 'x' }] as Entry[], m: [{ dn: 'm', mail: 'one' }] as Entry[] };
  const { text, searches } = await values({ special: ['member'], ordinary: ['mail'], terminal: ['maildrop'] }, tree);
  assert.equal(text, 'list');
  assert.equal(searches.length, 0);
});

test('an LDAP URL is searched on this server for what both ask', async () => {
  const tree = { '': [{ dn: 'g', member: 'ldap://evil.test/ou=x?mail,secret?sub?(a=b)' }] as Entry[], 'ou=x': [{ dn: 'm', mail: 'one' }] as Entry[] };
  const { text, searches } = await values({ special: ['member'], ordinary: ['mail'] }, tree);
  assert.equal(text, 'one');
  assert.deepEqual(
    { ...searches[0]!, timeoutMs: 0 },
    { base: 'ou=x', scope: 'sub', filter: '(a=b)', attributes: ['mail'], sizeLimit: 0, derefAliases: 'never', timeoutMs: 0 },
  );
});

test('loops, crowds and long lists end in a refusal', async () => {
  const loop = { '': [{ dn: 'g', member: 'g' }] as Entry[], g: [{ dn: 'g', member: 'g' }] as Entry[] };
  await assert.rejects(values({ special: ['member'] }, loop), /recursion_limit = 10/);
  const web = { '': [{ dn: 'g', member: ['g', 'g'] }] as Entry[], g: [{ dn: 'g', member: ['g', 'g'] }] as Entry[] };
  await assert.rejects(values({ special: ['member'] }, web, { recursionLimit: 9999 }), /recursion_limit|10000 searches/);
  const many = {
    '': [
      { dn: 'a', mail: ['1', '2', '3'] },
      { dn: 'b', mail: '4' },
    ] as Entry[],
  };
  await assert.rejects(values({ ordinary: ['mail'] }, many, { expansionLimit: 3 }), /expansion_limit = 3/);
  await assert.rejects(values({ ordinary: ['mail'] }, many, { sizeLimit: 1 }), /size_limit = 1/);
});
