/** Debian's Thunderbird on a screen of its own (Xvfb), with a fresh profile, driven through its real windows. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { need } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually, within } from '../harness/wait.ts';
import { Marionette } from './thunderbird-marionette.ts';

/** In CSS pixels; wide enough for Thunderbird's three columns. */
export const SCREEN = { width: 1600, height: 1000 } as const;
/** A cold start on a loaded machine with two cores. */
const START_MS = 90_000;

/** What a person would have answered or switched off on other days: nothing here changes how mail is read or sent. */
const PREFERENCES: Readonly<Record<string, string | number | boolean>> = {
  'app.update.enabled': false,
  'app.donation.eoy.version.viewed': 9999,
  'browser.dom.window.dump.enabled': false,
  'browser.policies.runOncePerModification.extensionsInstall': '[]',
  'datareporting.policy.dataSubmissionEnabled': false,
  'datareporting.policy.dataSubmissionPolicyBypassNotification': true,
  'extensions.update.enabled': false,
  'extensions.systemAddon.update.enabled': false,
  'extensions.blocklist.enabled': false,
  'mail.inappnotifications.enabled': false,
  'mail.provider.suppress_dialog_on_startup': true,
  'mail.rights.version': 9,
  'mail.shell.checkDefaultClient': false,
  'mail.spellcheck.inline': false,
  'mail.spam.version': 1,
  'mail.startup.enabledMailCheckOnce': true,
  'mail.biff.play_sound': false,
  'mail.biff.show_alert': false,
  'mailnews.start_page.enabled': false,
  'mailnews.start_page_override.mstone': 'ignore',
  'mailnews.headers.showSender': false,
  'messenger.status.reportIdle': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  // With loopback only, the system's view is "no network".
  'network.manage-offline-status': false,
  'offline.autoDetect': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'signon.rememberSignons': true,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
  'toolkit.cosmeticAnimations.enabled': false,
  'ui.prefersReducedMotion': 1,
};

export interface ThunderbirdOptions {
  /** More preferences, or others. */
  readonly preferences?: Readonly<Record<string, string | number | boolean>>;
  readonly marionettePort?: number;
}

/** A screen in memory; answers its name for DISPLAY. It ends with its owner. */
export async function startScreen(owner: Owner): Promise<string> {
  need('Xvfb');
  const size = `${SCREEN.width}x${SCREEN.height}x24`;
  // -displayfd: the server takes a free number and tells it.
  const child = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', size, '-nolisten', 'tcp', '-noreset'], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  atEnd(owner, () => killGroup(child));
  const [number] = (await within('Xvfb to tell its display', once(child.stdio[3]!, 'data'))) as [Buffer];
  return `:${number.toString().trim()}`;
}

export class Thunderbird {
  readonly dir: string;
  readonly display: string;
  readonly #port: number;
  #child: ChildProcess | null = null;
  #marionette: Marionette | null = null;

  constructor(dir: string, display: string, options: ThunderbirdOptions) {
    this.dir = dir;
    this.display = display;
    this.#port = options.marionettePort ?? 2828;
    mkdirSync(join(dir, 'profile'), { recursive: true });
    const preferences = { ...PREFERENCES, 'marionette.port': this.#port, ...options.preferences };
    const lines = Object.entries(preferences).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
    writeFileSync(join(dir, 'profile/user.js'), lines.join(''));
  }

  get marionette(): Marionette {
    if (this.#marionette === null) throw new Error('Thunderbird is not running');
    return this.#marionette;
  }

  async start(): Promise<void> {
    const env = {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: this.dir,
      TMPDIR: this.dir,
      DISPLAY: this.display,
      LC_ALL: 'C.UTF-8',
      MOZ_CRASHREPORTER_DISABLE: '1',
      MOZ_LOG: 'IMAP:3,SMTP:3,timestamp,sync',
      MOZ_LOG_FILE: join(this.dir, 'wire'),
      // Drawing in memory: there is no graphics card to look for.
      LIBGL_ALWAYS_SOFTWARE: '1',
    };
    const words = ['--no-remote', '--profile', join(this.dir, 'profile'), '--marionette', '--remote-allow-system-access'];
    const child = spawn('thunderbird', words, { cwd: this.dir, detached: true, stdio: 'ignore', env });
    this.#child = child;
    this.#marionette = await eventually(
      'Thunderbird opens its Marionette port',
      () => {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Thunderbird ended with ${child.exitCode ?? child.signalCode}`);
        return Marionette.open(this.#port);
      },
      START_MS,
    );
  }

  /** As by File, Quit; then it has written all its files. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const gone = child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : once(child, 'exit').then(() => {});
    await this.marionette.quit();
    await within('Thunderbird to quit', gone);
    await this.end();
  }
  /** Ends it in any state, with all its processes. */
  async end(): Promise<void> {
    this.#marionette?.close();
    this.#marionette = null;
    if (this.#child !== null) await killGroup(this.#child);
    this.#child = null;
  }

  /** The last lines of what went over the wire by IMAP and SMTP as Thunderbird wrote it down. */
  wire(lines = 200): string {
    const file = ['wire.moz_log', 'wire'].map((name) => join(this.dir, name)).find((path) => existsSync(path));
    return file === undefined ? '' : readFileSync(file, 'utf8').split('\n').slice(-lines).join('\n');
  }
}

/** Starts Thunderbird on a screen of its own; both end with the owner. */
export async function startThunderbird(owner: Owner, options: ThunderbirdOptions = {}): Promise<Thunderbird> {
  need('thunderbird');
  const display = await startScreen(owner);
  const thunderbird = new Thunderbird(tempDir(owner, 'thunderbird'), display, options);
  atEnd(owner, () => thunderbird.end());
  await thunderbird.start();
  return thunderbird;
}

/** SIGKILL to a child of ours and to all its children; waits for its end. */
export async function killGroup(child: ChildProcess): Promise<void> {
  const isRunning = child.exitCode === null && child.signalCode === null;
  const gone = isRunning ? once(child, 'exit') : null;
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // Nobody of the group is left.
  }
  await gone;
}
