/** The capabilities (RFC 5804 section 1.7): each stands here once, with when it is announced. */
import { formatCapability } from '../../wire/managesieve/format.ts';
import { version } from '../../system/version.ts';
import type { ManageSieveSession } from './session.ts';

/** `show`: the value, null for none, undefined when it is not announced now. */
const CAPABILITIES: readonly { readonly name: string; readonly show: (session: ManageSieveSession) => string | null | undefined }[] = [
  { name: 'IMPLEMENTATION', show: () => `Posthorn ${version()}` },
  { name: 'SIEVE', show: (session) => session.engine.extensions().join(' ') },
  { name: 'SASL', show: (session) => mechanisms(session).join(' ') },
  { name: 'STARTTLS', show: (session) => (canStartTls(session) ? null : undefined) },
  { name: 'NOTIFY', show: (session) => session.engine.notifyMethods().join(' ') || undefined }, // RFC 5435
  { name: 'MAXREDIRECTS', show: (session) => String(session.engine.redirectsMax()) },
  { name: 'LANGUAGE', show: () => 'en' },
  { name: 'OWNER', show: (session) => session.account?.login },
  { name: 'UNAUTHENTICATE', show: () => null }, // section 2.14.1
  { name: 'VERSION', show: () => '1.0' },
];

export function mechanisms(session: ManageSieveSession): readonly string[] {
  return session.context.authenticator.mechanisms(session.connection);
}

export function canStartTls(session: ManageSieveSession): boolean {
  return session.account === null && session.connection.tls === null && session.context.tls.context() !== null;
}

/** The lines of the capability response, without the OK that ends it. */
export function capabilityLines(session: ManageSieveSession): string {
  let text = '';
  for (const { name, show } of CAPABILITIES) {
    const value = show(session);
    if (value !== undefined) text += formatCapability(name, value);
  }
  return text;
}
