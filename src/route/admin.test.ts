import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import type { CliIo } from '../cli/io.ts';
import { registerRoute } from '../cli/route.ts';
import type { AdminContext } from '../ports.ts';
import { ROUTE_ADMIN, type RouteAnswer } from './admin.ts';
import type { AllRouteSettings } from './plan.ts';
import { DIRECTORY, routeSettings } from './testing.ts';

function explain(settings: Partial<AllRouteSettings>, args: object): Promise<RouteAnswer> {
  const context = {
    settings: () => routeSettings(settings),
    directory: { ...DIRECTORY, accountByLogin: () => null },
    now: () => 0,
  } as unknown as AdminContext;
  return ROUTE_ADMIN['route.explain']!(context, args, () => {}, new AbortController().signal) as Promise<RouteAnswer>;
}

async function printed(settings: Partial<AllRouteSettings>, ...words: string[]): Promise<string> {
  const lines: string[] = [];
  const io = { print: (line: string) => lines.push(line), note: () => {}, isInteractive: false } as unknown as CliIo;
  const program = new Command().exitOverride();
  registerRoute(program, async () => ({ call: (_, args) => explain(settings, args as object), close: async () => {} }), io);
  await program.parseAsync(['node', 'posthorn', 'route', ...words]);
  return lines.join('\n');
}

test('the way of an address is a tree with the tables and lines that decided', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-route-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const virtual = join(dir, 'virtual');
  const transport = join(dir, 'transport');
  writeFileSync(virtual, '# aliases\nother@v.test x@y.test\nteam@v.test ann@own.test,\n  far@slow.test\n');
  writeFileSync(transport, 'slow.test :[slow.host.test]:26\n');
  const settings = { 'policy.virtualAliasMaps': [`hash:${virtual}`], 'route.transportMaps': [`hash:${transport}`] };
  assert.deepEqual(
    (await printed(settings, 'team@v.test', '--sender', 's@x.test')).split('\n').map((line) => line.replaceAll(/(?<=\S) {2,}/g, '  ').replaceAll(dir, '')),
    [
      'team@v.test  recipient, from s@x.test',
      '  → ann@own.test  virtualAliasMaps hash:/virtual:3',
      '    → mailbox of ann@own.test  the directory',
      '  → far@slow.test  virtualAliasMaps hash:/virtual:3',
      '    → smtp: [slow.host.test], port 26  transportMaps hash:/transport:1 (default domain)',
      '',
      'Goes to  ann@own.test: mailbox of the store',
      'Goes to  far@slow.test: smtp: [slow.host.test], port 26',
    ],
  );
});

test('a refusal is said as the client hears it', async (t) => {
  t.after(() => {
    process.exitCode = 0;
  });
  assert.match(await printed({}, 'nobody@own.test'), /Refused {2}550 5\.1\.1/);
  assert.equal(process.exitCode, 1);
  assert.match(
    await printed({ 'route.relocatedMaps': ['inline:{ann@own.test=a@new.test}'] }, 'ann@own.test'),
    /Refused {2}550 5\.1\.6 User has moved to a@new\.test/,
  );
});

test('an address without a domain is completed, what is none is refused with its name', async () => {
  assert.match(await printed({}, 'root', '--sender', '<>'), /root@host\.test +completed with the option domain/);
  await assert.rejects(explain({}, { address: 'a b@@c', sender: null }), /is no recipient address/);
  await assert.rejects(explain({}, { address: 'a@b.test', sender: '@' }), /is no sender address/);
});
