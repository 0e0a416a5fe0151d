/** The actions of RFC 5228 section 4, with fileinto; the tags of extensions that change them are read here as well. */
import type { RedirectDsn } from '../../filter.ts';
import { addressText, parseSieveAddress } from '../addresses.ts';
import type { Call } from '../call.ts';
import { actionFlags } from '../flags.ts';
import { mailboxProblem } from '../mailbox-name.ts';
import { isObjectId } from '../object-id.ts';
import { parseUse } from '../special-use.ts';
import type { CommandSpec, Step } from '../registry.ts';
import { mailboxKey } from '../result.ts';
import type { Flow } from '../run.ts';

/** Stores in the inbox (section 4.3). */
export const KEEP: CommandSpec = {
  name: 'keep',
  compile(call) {
    const flags = actionFlags(call);
    const { line } = call;
    return {
      now(run) {
        run.result.add(
          { kind: 'keep', origin: run.origin(line), message: run.result.version(), flags: flags(run), isImplicit: false },
          { key: run.result.keepKey },
        );
        return undefined;
      },
    };
  },
};

/** Cancels the implicit keep (section 4.4). */
export const DISCARD: CommandSpec = {
  name: 'discard',
  compile({ line }) {
    return {
      now(run) {
        run.result.add({ kind: 'discard', origin: run.origin(line), message: null }, { key: 'discard' });
        return undefined;
      },
    };
  },
};

/** Section 4.1, with :copy (RFC 3894), :create (RFC 5490), :flags (RFC 5232), :specialuse (RFC 8579) and :mailboxid (RFC 9042). */
export const FILEINTO: CommandSpec = { name: 'fileinto', positional: [{ name: 'mailbox', type: 'string' }], compile: fileInto };

function fileInto(call: Call): Step<Flow> {
  const mailbox = call.needText('mailbox');
  if (mailbox.constant !== null) {
    const problem = mailboxProblem(mailbox.constant);
    if (problem !== null) call.problem(problem, mailbox.line);
  }
  const use = call.text(':specialuse');
  const specialUse = use === null ? null : parseUse(call, use);
  const mailboxId = call.text(':mailboxid');
  const flags = actionFlags(call);
  const isCreated = call.has(':create');
  const isCopy = call.has(':copy');
  const { line } = call;
  return {
    now(run) {
      const name = mailbox.value(run);
      const problem = mailbox.constant === null ? mailboxProblem(name) : null;
      if (problem !== null) run.fail(problem);
      const objectId = mailboxId?.value(run) ?? null;
      run.result.add(
        {
          kind: 'fileInto',
          origin: run.origin(line),
          message: run.result.version(),
          mailbox: name,
          flags: flags(run),
          isCreated,
          specialUse: specialUse === null ? null : specialUse(run),
          ...(objectId !== null && { mailboxId: isObjectId(objectId) ? objectId : null }),
        },
        { key: objectId === null ? mailboxKey(name) : `mailbox ${objectId} ${mailboxKey(name)}`, isCopy },
      );
      return undefined;
    },
  };
}

/** Section 4.2, with :copy and RFC 6009's :notify and :ret. */
export const REDIRECT: CommandSpec = { name: 'redirect', positional: [{ name: 'address', type: 'string' }], compile: redirect };

function redirect(call: Call): Step<Flow> {
  const text = call.needText('address');
  const constant = text.constant === null ? null : parseSieveAddress(text.constant);
  if (text.constant !== null && constant === null) call.problem(`"${text.constant.slice(0, 100)}" is no address`, text.line);
  const isCopy = call.has(':copy');
  const dsn = redirectDsn(call);
  const { line } = call;
  return {
    now(run) {
      const written = constant === null ? text.value(run) : '';
      const address = constant ?? parseSieveAddress(written) ?? run.fail(`"${written.slice(0, 100)}" is no address`);
      run.result.add(
        { kind: 'redirect', origin: run.origin(line), message: run.message.versionToSend(), address, sender: null, dsn },
        { key: `redirect ${addressText(address)}`, isCopy },
      );
      return undefined;
    },
  };
}

/** RFC 6009 section 4: constant or not, both are checked when they are known. */
function redirectDsn(call: Call): RedirectDsn | null {
  const notify = call.text(':notify');
  const ret = call.text(':ret');
  if (notify === null && ret === null) return null;
  const notifyValue = notify?.constant?.toUpperCase() ?? null;
  if (notifyValue !== null && !/^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2})$/.test(notifyValue)) {
    call.problem(':notify takes "NEVER", or "SUCCESS", "FAILURE" and "DELAY" with commas between', notify!.line);
  }
  const retValue = ret?.constant?.toUpperCase() ?? null;
  if (retValue !== null && retValue !== 'FULL' && retValue !== 'HDRS') call.problem(':ret takes "FULL" or "HDRS"', ret!.line);
  return { notify: notifyValue, ret: retValue as 'FULL' | 'HDRS' | null };
}

export const STOP: CommandSpec = { name: 'stop', compile: () => ({ now: () => 'stop' }) };
