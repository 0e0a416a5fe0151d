/** posthorn dkim: keys that sign the mail of a domain, and the records that belong to them. */
import type { Command } from 'commander';
import type { DkimKeyList, DkimKeyView } from '../judge/signing/admin.ts';
import { zoneTxt } from '../judge/signing/record.ts';
import type { Admin } from '../ports.ts';
import type { CliIo } from './io.ts';
import { humanSpan, table } from './table.ts';
import { withAdmin } from './with-admin.ts';

interface KeyOptions {
  selector?: string;
  rsaBits?: string;
  algorithm?: string;
  activate?: boolean;
  force?: boolean;
  json?: boolean;
}

/** Resolvers should forget a mistake within the hour. */
const RECORD_TTL = 3600;

function keyArguments(domain: string, options: KeyOptions): Record<string, unknown> {
  if (options.rsaBits !== undefined && !/^\d{1,5}$/.test(options.rsaBits)) throw new Error('--rsa-bits must be a number such as 2048.');
  return { domain, selector: options.selector, algorithm: options.algorithm, rsaBits: options.rsaBits === undefined ? undefined : Number(options.rsaBits) };
}

export function zoneRecords(keys: readonly DkimKeyView[]): string {
  return keys.map((key) => zoneTxt(key.name, RECORD_TTL, key.record)).join('\n');
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

function words(key: DkimKeyView, now: number): string {
  if (key.state === 'active') return 'signs';
  return key.state === 'published' ? `signs in ${humanSpan(key.activeFrom - now)}` : 'retired';
}

function printNew(io: CliIo, keys: readonly DkimKeyView[], now: number): void {
  for (const key of keys) io.print(`${key.selector}: ${key.algorithm === 'rsa' ? `RSA, ${key.bits} bits` : 'Ed25519'}; ${words(key, now)}.`);
  io.print('Put into the zone:');
  io.print(zoneRecords(keys));
}

export function registerDkim(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const dkim = program
    .command('dkim')
    .summary('keys that sign outgoing mail')
    .description('Keys that sign the outgoing mail of a domain (DKIM), and the DNS records that belong to them.');

  dkim
    .command('create')
    .summary('make keys for a domain')
    .description('Makes keys for a domain and prints their records. The first ones sign at once; further ones wait as with rotate.')
    .argument('<domain>', 'such as example.org')
    .option('--selector <name>', 'name of the key in DNS (default: after the month); with both algorithms the Ed25519 one gets an "e" at its end')
    .option('--rsa-bits <number>', 'length of the RSA key (default: option dkim.rsaBits)')
    .option('--algorithm <name>', 'rsa, ed25519 or both', 'both')
    .action((domain: string, options: KeyOptions) =>
      withAdmin(open, async (admin) => {
        const { keys }: { keys: DkimKeyView[] } = await admin.call('dkim.create', keyArguments(domain, options));
        printNew(io, keys, Date.now());
      }),
    );

  dkim
    .command('list')
    .summary('show the keys')
    .argument('[domain]', 'only those of this domain')
    .option('--json', 'one JSON object a key')
    .action((domain: string | undefined, options: KeyOptions) =>
      withAdmin(open, async (admin) => {
        const { keys, problems }: DkimKeyList = await admin.call('dkim.list', { domain });
        if (options.json === true) for (const key of keys) io.print(JSON.stringify(key));
        else if (keys.length === 0)
          io.note(`There is no key${domain === undefined ? '' : ` for ${domain}`} yet: posthorn dkim create ${domain ?? 'example.org'}`);
        else {
          const now = Date.now();
          io.print(
            table(
              ['domain', 'selector', 'algorithm', 'made', 'state'],
              keys.map((key) => [key.domain, key.selector, key.algorithm === 'rsa' ? `rsa ${key.bits}` : key.algorithm, day(key.createdAt), words(key, now)]),
            ),
          );
        }
        for (const problem of problems) io.note(problem);
        if (problems.length > 0) process.exitCode = 1;
      }),
    );

  dkim
    .command('show')
    .summary('print the TXT records of the keys, for the zone file')
    .argument('<domain>')
    .option('--selector <name>', 'only this one')
    .action((domain: string, options: KeyOptions) =>
      withAdmin(open, async (admin) => {
        const { keys }: DkimKeyList = await admin.call('dkim.list', { domain });
        const shown = options.selector === undefined ? keys : keys.filter((key) => key.selector === options.selector);
        if (shown.length === 0) throw new Error(`There is no such key: posthorn dkim list ${domain}`);
        io.print(zoneRecords(shown));
      }),
    );

  dkim
    .command('rotate')
    .summary('make new keys that take over from the old ones')
    .description(
      'Makes new keys beside those that sign, and prints their records. They take over after dkim.activateAfter, when every resolver knows them; ' +
        'the old ones keep their records until "posthorn dkim remove", so that mail on its way can still be verified.',
    )
    .argument('<domain>')
    .option('--selector <name>', 'name of the new key in DNS (default: after the month)')
    .option('--rsa-bits <number>', 'length of the RSA key')
    .option('--algorithm <name>', 'rsa, ed25519 or both (default: what signs now)')
    .option('--activate', 'they sign at once; their records should be in DNS already, or mail is unsigned for a while')
    .action((domain: string, options: KeyOptions) =>
      withAdmin(open, async (admin) => {
        const done: { keys: DkimKeyView[]; replaced: string[] } = await admin.call('dkim.rotate', {
          ...keyArguments(domain, options),
          activate: options.activate === true,
        });
        printNew(io, done.keys, Date.now());
        for (const selector of done.replaced)
          io.print(`Leave the record of ${selector} in the zone for a week after that, then: posthorn dkim remove ${done.keys[0]!.domain} ${selector}`);
      }),
    );

  dkim
    .command('activate')
    .summary('let a key sign from now on')
    .argument('<domain>')
    .argument('<selector>')
    .action((domain: string, selector: string) =>
      withAdmin(open, async (admin) => {
        const { key, retired }: { key: DkimKeyView; retired: string[] } = await admin.call('dkim.activate', { domain, selector });
        io.print(`${key.selector} signs the mail of ${key.domain}${retired.length > 0 ? `; ${retired.join(', ')} is retired` : ''}.`);
      }),
    );

  dkim
    .command('remove')
    .summary('delete a key that does not sign any more')
    .argument('<domain>')
    .argument('<selector>')
    .option('--force', 'even if it signs')
    .action((domain: string, selector: string, options: KeyOptions) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('dkim.remove', { domain, selector, force: options.force === true });
        io.print(`The key ${done.selector} of ${done.domain} is deleted; its record ${done.selector}._domainkey.${done.domain} can go too.`);
      }),
    );
}
