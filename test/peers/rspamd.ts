/** Debian's Rspamd as a milter: one proxy worker that scans by itself, no DNS, no rules but what the test gives in Lua. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepRunning, need, succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { ended, listening } from './milter-socket.ts';

/** What it listens on in our own network. */
export const RSPAMD_PORT = 11_332;

/** `rules` is Lua that registers symbols with `rspamd_config`. Resolves when it listens on 127.0.0.1:11332. */
export async function startRspamd(owner: Owner, rules: string): Promise<void> {
  need('rspamd');
  const dir = tempDir(owner, 'rspamd');
  const uid = Number((await succeed('id', ['-u', '_rspamd'])).trim());
  const db = join(dir, 'db');
  mkdirSync(db);
  chownSync(db, uid, -1);
  writeFileSync(join(dir, 'rules.lua'), rules);
  writeFileSync(
    join(dir, 'rspamd.conf'),
    `
options {
  pidfile = "${db}/rspamd.pid";
  filters = "";
  disable_hyperscan = true;
  gtube_patterns = "all";
  control_socket = "${db}/rspamd.sock mode=0600";
  hs_cache_dir = "${db}/";
  cache_file = "${db}/symbols.cache";
  url_tld = "/usr/share/rspamd/effective_tld_names.dat";
  dns { nameserver = ["127.0.0.1:53"]; timeout = 0.2s; retransmits = 1; sockets = 1; }
  tempdir = "${db}";
  local_addrs = [];
}
logging { type = "console"; level = "notice"; color = false; }
worker "rspamd_proxy" {
  bind_socket = "127.0.0.1:${RSPAMD_PORT}";
  milter = yes;
  timeout = 60s;
  count = 1;
  upstream "local" { default = yes; self_scan = yes; }
  spam_header = "X-Spam";
  reject_message = "Spam message rejected";
}
lua = "${dir}/rules.lua"
actions { reject = 15; add_header = 6; rewrite_subject = 8; greylist = null; subject = "[SPAM] %s"; }
`,
  );
  const running = keepRunning('rspamd', ['-f', '-u', '_rspamd', '-g', '_rspamd', '-c', join(dir, 'rspamd.conf')]);
  atEnd(owner, () => ended(running));
  await listening('rspamd', { host: '127.0.0.1', port: RSPAMD_PORT }, running);
}
