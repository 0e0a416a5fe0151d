/** Whose business a recipient is: ours to deliver, ours to relay, or nobody's here (permit_auth_destination, reject_unauth_destination). */
import type { Address } from '../../ports.ts';
import type { RecipientClass } from './ports.ts';
import type { Run } from './run.ts';
import { after, type Soon, type Status } from './status.ts';

/** The class of an address; a Status (REFUSE) when a table could not answer. `text` is the address for the reply. */
export function classOf(run: Run, address: Address, text: string): Soon<RecipientClass | Status> {
  try {
    const found = run.context.recipients.classify(address);
    return found instanceof Promise ? found.catch((cause: unknown) => run.lookupFailed(text, cause)) : found;
  } catch (cause) {
    return run.lookupFailed(text, cause);
  }
}

/** True when the address is at a domain whose mail ends here. */
export function isFinal(run: Run, address: Address, text: string): Soon<boolean | Status> {
  return after(classOf(run, address, text), (found) => (typeof found === 'number' ? found : found !== 'foreign' && found !== 'relay'));
}

/** True when mail to the address is to be taken from anybody. A local part that asks for another host makes it uncertain: not then. */
export function isAuthorised(run: Run, address: Address, text: string): Soon<boolean | Status> {
  return after(classOf(run, address, text), (found) => (typeof found === 'number' ? found : found !== 'foreign' && found !== 'routed'));
}
