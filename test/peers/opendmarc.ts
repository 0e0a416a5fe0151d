/** Debian's OpenDMARC as a milter: believes the Authentication-Results of `authservId`, checks SPF itself, asks DNS for policies. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepRunning, need } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { ended, listening } from './milter-socket.ts';

export interface OpendmarcOptions {
  readonly authservId: string;
  /** Refuse what the policy refuses. */
  readonly rejects?: boolean;
  readonly config?: Readonly<Record<string, string>>;
}

/** Answers the path of its socket. */
export async function startOpendmarc(owner: Owner, options: OpendmarcOptions): Promise<string> {
  need('opendmarc');
  const dir = tempDir(owner, 'opendmarc');
  const socket = join(dir, 'milter.sock');
  const lines: Record<string, string> = {
    Socket: `local:${socket}`,
    Background: 'false',
    Syslog: 'false',
    UMask: '000',
    AuthservID: 'opendmarc.test',
    TrustedAuthservIDs: options.authservId,
    RejectFailures: options.rejects === false ? 'false' : 'true',
    HoldQuarantinedMessages: 'true',
    SPFSelfValidate: 'true',
    DNSTimeout: '2',
    PublicSuffixList: '/usr/share/publicsuffix/public_suffix_list.dat',
    ...options.config,
  };
  const config = join(dir, 'opendmarc.conf');
  writeFileSync(
    config,
    Object.entries(lines)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(''),
  );
  const running = keepRunning('opendmarc', ['-f', '-c', config]);
  atEnd(owner, () => ended(running));
  await listening('opendmarc', { path: socket }, running);
  return socket;
}
