/** All writer operations of the directory, by name. Inputs are validated by the caller (admin.ts) and hold canonical addresses. */
import type { Operations } from '../store/transaction.ts';
import { accountAdd, accountDisable, accountEnsure, accountPasswd, accountQuota, accountRemove } from './operations/account.ts';
import { aliasAdd, aliasRemove } from './operations/alias.ts';
import { credentialAdd, credentialRehash, credentialRemove, credentialUsed } from './operations/credential.ts';
import { accountOption } from './operations/option.ts';
import { domainAdd, domainCatchAll, domainDisable, domainRemove } from './operations/domain.ts';

export const DIRECTORY_OPERATIONS = {
  'domain.add': domainAdd,
  'domain.remove': domainRemove,
  'domain.catchall': domainCatchAll,
  'domain.disable': domainDisable,
  'account.add': accountAdd,
  'account.ensure': accountEnsure,
  'account.remove': accountRemove,
  'account.passwd': accountPasswd,
  'account.disable': accountDisable,
  'account.quota': accountQuota,
  'account.option': accountOption,
  'alias.add': aliasAdd,
  'alias.remove': aliasRemove,
  'credential.add': credentialAdd,
  'credential.remove': credentialRemove,
  'credential.used': credentialUsed,
  'credential.rehash': credentialRehash,
} satisfies Operations;
