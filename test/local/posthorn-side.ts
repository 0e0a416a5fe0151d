/** Our user agent with the users of a passwd file of the test's. */
import { join } from 'node:path';
import { SIEVE_SETTINGS } from '../../src/deliver/filters/sieve/settings.ts';
import { connectUserAgent, sourceOf } from '../../src/deliver/user-agent/client.ts';
import { LOCAL_SETTINGS, localConfiguration } from '../../src/deliver/user-agent/settings.ts';
import { helperOptions, startUserAgent } from '../../src/deliver/user-agent/start.ts';
import type { DeliveryAnswer, DeliveryTask, LocalConfiguration } from '../../src/deliver/user-agent/types.ts';
import { defaultsOf } from '../../src/system/declare.ts';
import { atEnd, type Owner } from '../harness/temp.ts';

export interface UserAgentSide {
  readonly configuration: LocalConfiguration;
  deliver(task: Pick<DeliveryTask, 'sender' | 'recipient' | 'final' | 'detail' | 'work' | 'configuration'>, message: string): Promise<DeliveryAnswer>;
}

/** `hostname` is the domain of the users, too. */
export async function startUserAgentSide(owner: Owner, dir: string, hostname: string, commandTimeLimitMs: number): Promise<UserAgentSide> {
  const settings = { ...defaultsOf(LOCAL_SETTINGS), ...defaultsOf(SIEVE_SETTINGS), 'local.uidMin': 1, 'local.workersMax': 4 };
  const socketPath = join(dir, 'agent');
  const key = 'ab'.repeat(32);
  const handle = startUserAgent(helperOptions(settings, { socketPath, key, owner: null }));
  const client = connectUserAgent({ socketPath, key });
  atEnd(owner, async () => {
    client.close();
    await handle.stop();
  });
  await handle.ready;
  const machine = { hostname, domain: hostname, recipientDelimiter: '+' };
  const configuration = { ...localConfiguration(settings, machine), commandTimeLimitMs };
  return {
    configuration,
    deliver: (task, message) =>
      client.deliver(
        {
          id: '0000000000000001',
          at: Date.now(),
          orcpt: null,
          helo: 'client.test',
          clientIp: '192.0.2.2',
          clientName: 'unknown',
          spam: null,
          virus: 0,
          ...task,
        },
        sourceOf(Buffer.from(message.replaceAll('\n', '\r\n'), 'latin1')),
        new AbortController().signal,
      ),
  };
}
