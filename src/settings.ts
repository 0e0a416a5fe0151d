/** All options of all rooms in one record; main, cli and the reference page read this. Values follow in SettingsOf<typeof SETTINGS>. */
import { IMAP_SETTINGS } from './access/imap/settings.ts';
import { MANAGESIEVE_SETTINGS } from './access/managesieve/settings.ts';
import { POP3_SETTINGS } from './access/pop3/settings.ts';
import { DOCTOR_SETTINGS } from './cli/doctor-settings.ts';
import { SIEVE_SETTINGS } from './deliver/filters/sieve/settings.ts';
import { SCRIPTS_SETTINGS } from './deliver/scripts/settings.ts';
import { CHALLENGE_SETTINGS } from './deliver/challenge/settings.ts';
import { FORWARDING_SETTINGS } from './deliver/forwarding/settings.ts';
import { REPLY_SETTINGS } from './deliver/reply/settings.ts';
import { IMAP_SIEVE_SETTINGS } from './deliver/mailroom/settings.ts';
import { DELIVER_SETTINGS } from './deliver/settings.ts';
import { SORTING_SETTINGS } from './deliver/sorting/settings.ts';
import { LOCAL_SETTINGS } from './deliver/user-agent/settings.ts';
import { DIRECTORY_SETTINGS } from './directory/settings.ts';
import { DNS_SETTINGS } from './net/dns-settings.ts';
import { NET_SETTINGS } from './net/settings.ts';
import { JUDGE_SETTINGS } from './judge/all-settings.ts';
import { QUEUE_SETTINGS } from './queue/settings.ts';
import { RECEIVE_SETTINGS } from './receive/settings.ts';
import { ALIAS_SETTINGS } from './route/aliases/settings.ts';
import { ROUTE_SETTINGS } from './route/settings.ts';
import { SRS_SETTINGS } from './route/srs-settings.ts';
import { SEARCH_SETTINGS } from './search/settings.ts';
import { STORE_SETTINGS } from './store/settings.ts';
import type { SettingsOf } from './system/declare.ts';
import { SYSTEM_SETTINGS } from './system/settings.ts';

export const SETTINGS = {
  ...SYSTEM_SETTINGS,
  ...NET_SETTINGS,
  ...DNS_SETTINGS,
  ...RECEIVE_SETTINGS,
  ...DIRECTORY_SETTINGS,
  ...JUDGE_SETTINGS,
  ...QUEUE_SETTINGS,
  ...ROUTE_SETTINGS,
  ...ALIAS_SETTINGS,
  ...SRS_SETTINGS,
  ...DELIVER_SETTINGS,
  ...LOCAL_SETTINGS,
  ...REPLY_SETTINGS,
  ...FORWARDING_SETTINGS,
  ...SORTING_SETTINGS,
  ...CHALLENGE_SETTINGS,
  ...IMAP_SETTINGS,
  ...POP3_SETTINGS,
  ...MANAGESIEVE_SETTINGS,
  ...SIEVE_SETTINGS,
  ...IMAP_SIEVE_SETTINGS,
  ...SCRIPTS_SETTINGS,
  ...STORE_SETTINGS,
  ...SEARCH_SETTINGS,
  ...DOCTOR_SETTINGS,
};
export type AllSettings = SettingsOf<typeof SETTINGS>;
