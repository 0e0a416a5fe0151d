/** posthorn config show, check, docs. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SETTINGS } from '../settings.ts';
import { configReference, showConfig } from '../system/config/show.ts';
import { lookUpUser } from '../system/user.ts';
import { programDir } from '../system/version.ts';
import { commandsReference } from './commands-reference.ts';
import { type CliContext, readCheckedConfig } from './context.ts';
import { eventsReference, metricsReference } from './events-reference.ts';

function fileRights(path: string): { uid: number; mode: number } {
  const { uid, mode } = statSync(path);
  return { uid, mode };
}

/** Keys that a server started as root can read, but not when it reads them again at a reload, as `user`. Pure; group rights are given the benefit of the doubt. */
export function keyWarnings(keys: readonly { path: string; uid: number; mode: number }[], user: { name: string; uid: number }): string[] {
  return keys
    .filter(({ uid, mode }) => uid !== user.uid && (mode & 0o044) === 0)
    .map(({ path }) => `${path} can be read at the start, as root, but not at a reload, as ${user.name}: give a group of that user the right to read it.`);
}

export function registerConfig(program: Command, context: CliContext): void {
  const { io } = context;
  const config = program.command('config').summary('show, check and document the configuration').description('Shows, checks and documents the configuration.');

  config
    .command('show')
    .summary('print the values in force')
    .description('Prints every option with the value in force, as TOML that can be used as a configuration.')
    .option('--changed', 'only what differs from the defaults')
    .option('--defaults', 'the defaults instead of the values in force')
    .action((options: { changed?: boolean; defaults?: boolean }) => {
      if (options.defaults === true) {
        const values = Object.fromEntries(Object.entries(SETTINGS).map(([key, setting]) => [key, setting.default]));
        io.print(showConfig(SETTINGS, values as never).trimEnd());
        return;
      }
      const { settings, file } = context.config();
      io.note(`# from ${file ?? 'the development profile (there is no configuration file)'}`);
      io.print(showConfig(SETTINGS, settings, options.changed === true ? 'changed' : 'all').trimEnd());
    });

  config
    .command('check')
    .summary('report every mistake with its line and column')
    .description('Reads the configuration and the certificates it names. The exit code is 1 when something is wrong.')
    .action(async () => {
      const { settings, file, baseDir, warnings } = await readCheckedConfig(context.configFile());
      const { expiryWarnings, loadTlsMaterial, tlsFilesOf } = await import('../system/tls.ts');
      const files = tlsFilesOf(settings, baseDir);
      const material = loadTlsMaterial(files);
      const keys = files.map(({ key }) => ({ path: key, ...fileRights(key) }));
      const later = settings.user === '' ? [] : keyWarnings(keys, { name: settings.user, uid: lookUpUser(settings.user).uid });
      for (const warning of [...warnings, ...expiryWarnings(material, Date.now()), ...later]) io.note(`warning: ${warning}`);
      io.print(file === null ? 'There is no configuration file; the development profile is in force.' : `${file} is in order.`);
    });

  config
    .command('docs')
    .summary('print the reference of all options')
    .description('Prints the reference of all options in Markdown.')
    .option('--commands', 'the reference of all commands instead')
    .option('--write', 'write the generated pages under docs/ of the source tree')
    .action(async (options: { commands?: boolean; write?: boolean }) => {
      if (options.write !== true) return io.print((options.commands === true ? commandsReference(program) : configReference(SETTINGS)).trimEnd());
      const folder = join(programDir(), 'docs');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'configuration.md'), configReference(SETTINGS));
      writeFileSync(join(folder, 'commands.md'), commandsReference(program));
      writeFileSync(join(folder, 'log-events.md'), eventsReference(join(programDir(), 'src')));
      const { extensionsReference } = await import('./extensions-reference.ts');
      writeFileSync(join(folder, 'imap-extensions.md'), extensionsReference());
      writeFileSync(join(folder, 'metrics.md'), metricsReference());
      io.print(`Written: configuration.md, commands.md, imap-extensions.md, log-events.md and metrics.md in ${folder}`);
    });
}
