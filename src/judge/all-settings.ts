/** All options of the judge in one record. */
import type { NetSettings } from '../net/settings.ts';
import type { DnsSettings } from '../net/dns-settings.ts';
import { TABLES_SETTINGS } from '../directory/tables/settings.ts';
import { SERVER_TABLES_SETTINGS } from '../directory/tables/servers/settings.ts';
import type { SettingsOf } from '../system/declare.ts';
import { AUTHENTICITY_SETTINGS } from './authenticity/settings.ts';
import { DOOR_SETTINGS } from './door/settings.ts';
import { POLICY_FACE_SETTINGS } from './faces/policy/settings.ts';
import { MILTER_FACE_SETTINGS } from './faces/milter/settings.ts';
import { GREYLIST_SETTINGS } from './greylist/settings.ts';
import { MILTER_SETTINGS } from './milter/settings.ts';
import { PATTERNS_SETTINGS } from './patterns/settings.ts';
import { POLICY_SETTINGS } from './policy/settings.ts';
import { RATES_SETTINGS } from './rates/settings.ts';
import { REPORTS_SETTINGS } from './reports/settings.ts';
import { VERDICT_SETTINGS } from './settings.ts';
import { SIGNING_SETTINGS } from './signing/settings.ts';

export const JUDGE_SETTINGS = {
  ...TABLES_SETTINGS,
  ...SERVER_TABLES_SETTINGS,
  ...VERDICT_SETTINGS,
  ...POLICY_SETTINGS,
  ...PATTERNS_SETTINGS,
  ...DOOR_SETTINGS,
  ...GREYLIST_SETTINGS,
  ...RATES_SETTINGS,
  ...AUTHENTICITY_SETTINGS,
  ...SIGNING_SETTINGS,
  ...REPORTS_SETTINGS,
  ...MILTER_SETTINGS,
  ...POLICY_FACE_SETTINGS,
  ...MILTER_FACE_SETTINGS,
};

/** What the judge reads: its own options, and some of the system and the receiving rooms. */
export type AllJudgeSettings = SettingsOf<typeof JUDGE_SETTINGS> &
  NetSettings &
  DnsSettings & {
    readonly hostname: string;
    readonly domain: string;
    readonly dataDir: string;
    readonly 'listen.smtp': readonly string[];
    readonly 'smtp.relayFrom': readonly string[];
    readonly 'directory.recipientDelimiters': string;
    readonly 'submission.messagesPerHourMax': number;
    readonly 'submission.recipientsPerHourMax': number;
  };
