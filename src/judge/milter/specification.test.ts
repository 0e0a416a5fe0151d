import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MILTER_SETTINGS } from './settings.ts';
import { parseMilter } from './specification.ts';

const GOOD: readonly (readonly [text: string, place: unknown, more?: object])[] = [
  ['unix:/run/opendkim.sock', { path: '/run/opendkim.sock' }],
  ['local:/run/x', { path: '/run/x' }],
  ['inet:127.0.0.1:8891', { host: '127.0.0.1', port: 8891, family: 0 }],
  ['inet:8891@localhost', { host: 'localhost', port: 8891, family: 4 }],
  ['inet6:[::1]:8891', { host: '::1', port: 8891, family: 0 }],
  ['inet6:milter.test:8891', { host: 'milter.test', port: 8891, family: 6 }],
  [
    'inet:127.0.0.1:11332 default=accept command-timeout=30s content-timeout=5m connect-timeout=500ms name=rspamd reuse=yes',
    { host: '127.0.0.1', port: 11332, family: 0 },
    { defaultAction: 'accept', commandTimeoutMs: 30_000, contentTimeoutMs: 300_000, connectTimeoutMs: 500, name: 'rspamd', isReused: true },
  ],
  [
    '{ inet:127.0.0.1:1, default_action=reject, command_timeout=10 }',
    { host: '127.0.0.1', port: 1, family: 0 },
    { defaultAction: 'reject', commandTimeoutMs: 10_000 },
  ],
];
for (const [text, place, more] of GOOD)
  test(`milter "${text}" is understood`, () => {
    const spec = parseMilter(text);
    if (typeof spec === 'string') assert.fail(spec);
    assert.deepEqual(spec.place, place);
    for (const [key, value] of Object.entries(more ?? {})) assert.equal(spec[key as keyof typeof spec], value, key);
  });

const BAD = [
  '',
  'opendkim',
  'unix:relative',
  `unix:/${'x'.repeat(200)}`,
  'inet:127.0.0.1',
  'inet:host:0',
  'inet:host:99999',
  'inet:ho st:1',
  'inet:-x-:1',
  'tcp:1.2.3.4:5',
];
const BAD_OPTIONS = ['default=maybe', 'command-timeout=0', 'command-timeout=1y', 'nonsense=1', 'word', 'reuse=perhaps', 'name=', '=x', 'protocol=9'];
for (const text of [...BAD, ...BAD_OPTIONS.map((option) => `unix:/x ${option}`)])
  test(`milter "${text.slice(0, 60)}" is refused with a sentence`, () => {
    assert.equal(typeof parseMilter(text), 'string');
    assert.throws(() => MILTER_SETTINGS['milter.milters'].parse([text]));
  });
