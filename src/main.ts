/** The executable: hands the command line to the commands, and the commands the heavy parts, which are loaded only when needed. */
import { runCli } from './cli/program.ts';

process.exitCode = await runCli(process.argv.slice(2), {
  async serve(config, { isDev }) {
    const [{ serve }, { readCheckedConfig }, { version }] = await Promise.all([
      import('./serve.ts'),
      import('./cli/context.ts'),
      import('./system/version.ts'),
    ]);
    await readCheckedConfig(config.file); // a table that cannot be opened is told before a thread is started
    const code = await serve({ version: version(), config, isDevelopment: isDev, reload: () => readCheckedConfig(config.file) });
    // Whatever a library may have left open must not keep the process: everything of ours is closed.
    process.exit(code);
  },
  async openLocalAdmin(settings) {
    const { openLocalAdmin } = await import('./local-admin.ts');
    return openLocalAdmin(settings);
  },
});
