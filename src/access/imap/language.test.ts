import { test } from 'node:test';
import { talk, TestServer } from './testing.ts';

test('LANGUAGE, before and after login: English and i-default, found by their ranges', async () => {
  const server = new TestServer();
  const client = server.connect();
  client.output();
  await talk(
    client,
    `
    C: a LANGUAGE
    S: * LANGUAGE (en i-default)
    S: a OK LANGUAGE completed
    C: b LANGUAGE EN
    S: * LANGUAGE (en)
    S: b OK LANGUAGE completed
    C: c LANGUAGE FR-CA EN-CA
    S: * LANGUAGE (en)
    S: c OK LANGUAGE completed
    C: d LANGUAGE "default"
    S: * LANGUAGE (en)
    S: d OK LANGUAGE completed
    C: e LANGUAGE i-default
    S: * LANGUAGE (i-default)
    S: e OK LANGUAGE completed
    C: f LANGUAGE *
    S: * LANGUAGE (en)
    S: f OK LANGUAGE completed
    C: g LANGUAGE MUL
    S: g NO No such language here
    C: h LANGUAGE ""
    S: h NO No such language here
    C: i LANGUAGE de (en)
    S: i BAD a string or atom expected at byte 15
    C: j LANGUAGE ${'x '.repeat(51)}
    S: j BAD Too many languages
    C: k LANGUAGE ${'x'.repeat(101)}
    S: k BAD Language is too long
  `,
  );
});

test('hidden, LANGUAGE is unknown', async () => {
  const server = new TestServer({ 'imap.capabilitiesHidden': ['LANGUAGE'] });
  await talk(await server.client(), 'C: a LANGUAGE\nS: a BAD Unknown command');
});
