/** Options of logins that do not fit together; found when the configuration is read. */
import { checksSignatures, type OAuthSettings } from './oauth/settings.ts';

/** By option; empty when all is well. */
export function loginRules(settings: OAuthSettings): { key: string; message: string }[] {
  if (settings['oauth.keys'] !== '' && !checksSignatures(settings))
    return [{ key: 'oauth.keys', message: 'needs oauth.issuer and oauth.audience too: without them a token made for any other service would log in here' }];
  if (settings['oauth.clientSecretFile'] !== '' && settings['oauth.clientId'] === '')
    return [{ key: 'oauth.clientSecretFile', message: 'is the secret of nobody: oauth.clientId is missing' }];
  return [];
}
