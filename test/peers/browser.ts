/** Debian's Chromium without a screen, driven by playwright-core: for what people use in a browser. */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { findProgram, need } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { PATIENCE_MS } from '../harness/wait.ts';

/** How long a page may take to show something. */
const SHOW_MS = 20_000;
const WINDOW = { width: 1500, height: 950 } as const;

/** Starts a browser with a fresh profile; it ends with its owner. */
export async function startBrowser(owner: Owner): Promise<BrowserContext> {
  need('chromium');
  const home = tempDir(owner, 'browser');
  mkdirSync(join(home, 'tmp'));
  const browser: Browser = await chromium.launch({
    executablePath: findProgram('chromium')!,
    headless: true,
    // Tests run as root, for which Chromium has no sandbox; /dev/shm is small in containers.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: home, TMPDIR: join(home, 'tmp'), LC_ALL: 'C.UTF-8' },
    timeout: PATIENCE_MS,
  });
  atEnd(owner, () => browser.close());
  const context = await browser.newContext({ viewport: WINDOW, locale: 'en-US', timezoneId: 'UTC', acceptDownloads: true });
  context.setDefaultTimeout(SHOW_MS);
  return context;
}

let pictures = 0;
/** Keeps a picture of the page beside the tests' temporary directories; answers the file. */
export async function picture(page: Page, name: string): Promise<string> {
  const path = join(tmpdir(), `posthorn-${name}-${process.pid}-${++pictures}.png`);
  await page.screenshot({ path });
  return path;
}
