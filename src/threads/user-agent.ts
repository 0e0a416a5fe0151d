/** The way to the user agent from a thread; null where the server runs without one. */
import { connectUserAgent, type UserAgentClient } from '../deliver/user-agent/client.ts';
import { start } from './start.ts';

let client: UserAgentClient | null = null;

export function userAgentOfThread(): UserAgentClient | null {
  if (client === null && start.userAgent !== undefined && start.userAgent !== null) client = connectUserAgent(start.userAgent);
  return client;
}
