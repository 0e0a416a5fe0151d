/** Options of ManageSieve: table `[managesieve]` in posthorn.toml. The limits of scripts are in `[scripts]`. */
import type { SieveSettings } from '../../deliver/filters/sieve/settings.ts';
import type { ScriptsSettings } from '../../deliver/scripts/settings.ts';
import type { LoopContext } from '../../ports.ts';
import { count, duration, HOUR, MINUTE, SECOND, type SettingsOf, text } from '../../system/declare.ts';

export const MANAGESIEVE_SETTINGS = {
  'managesieve.idleTimeout': duration({
    default: 30 * MINUTE,
    least: 30 * MINUTE,
    most: 24 * HOUR,
    doc: 'A logged-in session that sends nothing for so long is closed.',
    see: 'RFC 5804 section 1.2 (at least 30 minutes)',
  }),
  'managesieve.loginTimeout': duration({
    default: 1 * MINUTE,
    least: 5 * SECOND,
    most: 1 * HOUR,
    doc: 'A connection that has not logged in after being silent for so long is closed; after three times as long in any case.',
    see: 'Dovecot client_idle_timeout before login',
  }),
  'managesieve.errorsMax': count({
    default: 20,
    least: 3,
    most: 1000,
    doc: 'Malformed or misplaced commands in a row after which a session is closed.',
    see: 'Dovecot CLIENT_MAX_BAD_COMMANDS',
  }),
  'managesieve.loginsMax': count({ default: 5, least: 1, most: 100, doc: 'Failed logins after which a connection is closed.' }),
  'managesieve.referral': text({
    default: '',
    accepts: 'a URL such as "sieve://mail2.example.org", or empty',
    doc: 'Where clients are sent when this server shuts down; empty: they are asked to come again.',
    see: 'RFC 5804 section 1.3, REFERRAL',
    check: (value) => (/^sieve:\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(value) ? undefined : 'must be sieve://host or sieve://host:port'),
  }),
};
export type ManageSieveSettings = SettingsOf<typeof MANAGESIEVE_SETTINGS> & ScriptsSettings & Pick<SieveSettings, 'sieve.scriptBytesMax'>;
export type ManageSieveContext = LoopContext<ManageSieveSettings>;
