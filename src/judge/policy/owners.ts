/** Who may use a sender address: a table in Postfix's way (smtpd_sender_login_maps), or the directory. */
import { rewriteKeys } from '../../directory/tables/search.ts';
import type { Address, Directory, Tables } from '../../ports.ts';
import type { SenderOwners } from './ports.ts';
import { firstValue } from './lookup.ts';
import { after } from './status.ts';

/** With tables, they alone decide; their values are logins parted by commas or white space. Throws TableProblem. */
export function createSenderOwners(loginMaps: readonly string[], delimiters: string, tables: Tables, directory: Directory): SenderOwners {
  if (loginMaps.length === 0) return { ownership: (login, address) => ownershipInDirectory(directory, login, address) };
  const opened = loginMaps.map((spec) => tables.open(spec));
  return {
    ownership: (login, address) =>
      after(
        firstValue(
          opened,
          rewriteKeys({ local: address.local.toLowerCase(), domain: address.domain }, { delimiters, isOwnDomain: (domain) => directory.isLocalDomain(domain) }),
        ),
        (owners) => {
          if (owners === null) return 'nobody';
          const wanted = login?.toLowerCase();
          return wanted !== undefined && owners.split(/[\s,]+/).some((owner) => owner.toLowerCase() === wanted) ? 'owned' : 'other';
        },
      ),
  };
}

function ownershipInDirectory(directory: Directory, login: string | null, address: Address): 'owned' | 'other' | 'nobody' {
  const account = login === null ? null : directory.accountByLogin(login);
  if (account !== null && directory.maySendAs(account.id, address)) return 'owned';
  const resolution = directory.resolve(address);
  return resolution.kind === 'deliver' || resolution.kind === 'disabled' ? 'other' : 'nobody';
}
