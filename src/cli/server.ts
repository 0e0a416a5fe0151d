/** posthorn start, serve, reload, stop, status: the server itself. */
import type { Command } from 'commander';
import type { ServerStatus } from '../system/admin.ts';
import type { CliContext } from './context.ts';
import { humanSpan, table } from './table.ts';

export function registerServer(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command('start')
    .summary('run the server; without a configuration, one for trying out')
    .description(
      'Runs the server in the foreground. Without a configuration file it takes high ports on this machine only, keeps its data in ./data and makes an account.',
    )
    .action(() => context.hooks.serve(context.config(), { isDev: context.configFile() === null }));

  program
    .command('serve')
    .summary('run the server; needs a configuration (for systemd)')
    .description('Runs the server in the foreground. Like start, but refuses to run without a configuration file.')
    .action(() => {
      if (context.configFile() === null) throw new Error('There is no configuration file: "posthorn init" writes one, or name it with --config.');
      return context.hooks.serve(context.config(), { isDev: false });
    });

  program
    .command('reload')
    .summary('make the running server read its configuration and certificates again')
    .description('The running server reads its configuration and certificates again. Sessions go on. With mistakes in the file nothing changes.')
    .action(async () => {
      context.config(); // mistakes are shown here, with their lines, before the server is bothered
      const admin = await context.openServer();
      try {
        const { changed, needRestart, warnings } = await admin.call('server.reload', {});
        io.print(changed.length === 0 ? 'Reloaded, certificates too; no option has changed.' : `Reloaded: ${changed.join(', ')}.`);
        if (needRestart.length > 0) io.print(`Changed, but in force only after a restart: ${needRestart.join(', ')}.`);
        for (const warning of warnings) io.note(warning);
      } finally {
        await admin.close();
      }
    });

  program
    .command('stop')
    .summary('stop the running server')
    .description('Stops the running server: sessions finish what they are doing (shutdown.grace), then it ends. Returns when it has.')
    .action(async () => {
      const admin = await context.openServer();
      const { pid } = (await admin.call('server.stop', {})) as { pid: number };
      await admin.close();
      io.note('Stopping …');
      const deadline = Date.now() + context.config().settings['shutdown.grace'] + 30_000;
      while (isRunning(pid)) {
        if (Date.now() > deadline) throw new Error(`The server (process ${pid}) has not ended in time; see its log.`);
        await new Promise((done) => setTimeout(done, 50));
      }
      io.print('Stopped.');
    });

  program
    .command('status')
    .summary('show what the running server is doing')
    .description('Shows addresses, sessions, threads and queue of the running server. The exit code is 1 when it is not running.')
    .option('--json', 'as one JSON object')
    .action(async (options: { json?: boolean }) => {
      const admin = await context.openServer();
      try {
        const status: ServerStatus = await admin.call('server.status', {});
        io.print(options.json === true ? JSON.stringify(status) : statusText(status, Date.now()));
      } finally {
        await admin.close();
      }
    });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it lives, as somebody else
  }
}

/** The status in lines. Pure. */
export function statusText(status: ServerStatus, now: number): string {
  const lines = [
    `Posthorn ${status.version}, running for ${humanSpan(now - status.startedAt)} (process ${status.pid})`,
    `Configuration  ${status.configFile ?? 'none (development profile)'}`,
    `Data           ${status.dataDir}`,
    '',
    table(
      ['protocol', 'sessions', 'addresses'],
      Object.entries(status.listen).map(([protocol, addresses]) => [protocol, status.sessions[protocol] ?? 0, addresses.join(', ')]),
    ),
    '',
    table(
      ['thread', 'state', 'restarts'],
      status.threads.map((thread) => [thread.name, thread.state, thread.restarts]),
    ),
  ];
  const facts = Object.entries(status.facts);
  if (facts.length > 0) lines.push('', ...facts.map(([name, value]) => `${name.padEnd(14)} ${value}`));
  return lines.join('\n');
}
