import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewOf } from '../mail/view.ts';
import type { AuthenticityResult } from './authenticity/verify.ts';
import { domainSymbols, linkDomains } from './domain-lists.ts';
import { NO_HITS } from './door/dnsbl.ts';

const view = (body: string) => viewOf(Buffer.from(`Subject: x\r\n\r\n${body}\r\n`));

test('links give their host names, once each, without ports, users and addresses of machines', () => {
  assert.deepEqual(
    linkDomains(view('see http://a.example/x, https://user@B.Example:8443/ "https://a.example" <http://192.0.2.1/> http://localhost/ https://c.example')),
    ['a.example', 'b.example', 'c.example'],
  );
  assert.equal(linkDomains(view(Array.from({ length: 100 }, (_, i) => `http://h${i}.example/`).join(' '))).length, 10);
});

test('a listed sender, author or link becomes a symbol with its weight', async () => {
  const asked: string[] = [];
  const query = (domain: string) => {
    asked.push(domain);
    const score = domain === 'bad.example' ? { ...NO_HITS, score: 3, hits: [{ zone: 'dbl.test', value: '127.0.1.2', weight: 3 }] } : NO_HITS;
    return domain === 'bad.example' ? Promise.resolve(score) : score;
  };
  const authenticity = { author: { domains: ['author.example'] } } as unknown as AuthenticityResult;
  const symbols = await domainSymbols(view('http://bad.example/'), { local: 'a', domain: 'sender.example' }, authenticity, query as never);
  assert.deepEqual(asked, ['sender.example', 'author.example', 'bad.example']);
  assert.deepEqual(
    symbols.map(({ name, score, text }) => [name, score, text]),
    [['DNSBL_DBL_TEST_LINK', 3, 'bad.example: dbl.test answers 127.0.1.2']],
  );
});
