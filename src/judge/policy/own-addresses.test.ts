import assert from 'node:assert/strict';
import test from 'node:test';
import { ownAddresses } from './own-addresses.ts';

test('only addresses where mail is received are ours, and those of proxies', () => {
  const isOwn = ownAddresses(['192.0.2.1:25', '[2001:DB8:0::1]:25', 'unix:/run/smtp.sock'], ['198.51.100.1']);
  for (const ip of ['192.0.2.1', '2001:db8::1', '198.51.100.1']) assert.equal(isOwn(ip), true, ip);
  for (const ip of ['127.0.0.1', '::1', '192.0.2.2']) assert.equal(isOwn(ip), false, ip);
});

for (const listen of [['*:25'], ['[::]:25'], ['192.0.2.1:25', '0.0.0.0:25'], []])
  test(`every address of the machine is ours when mail is received at ${JSON.stringify(listen)}`, () => {
    const isOwn = ownAddresses(listen);
    assert.equal(isOwn('127.0.0.1'), true);
    assert.equal(isOwn('203.0.113.77'), false);
  });
