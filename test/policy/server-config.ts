/** Postfix's parameters as a posthorn.toml: the settings that name them in their documentation. */
import { SETTINGS } from '../../src/settings.ts';
import type { Config } from '../harness/posthorn.ts';

type Value = string | number | boolean | readonly string[];
type Main = Readonly<Record<string, string>>;

const words = (text: string): readonly string[] => text.split(/[\s,]+/).filter((word) => word !== '');
const whole = (text: string): readonly string[] => (text.trim() === '' ? [] : [text]);

/** Parameters whose values are lists that blanks and commas part; restriction lists stay whole. */
const WORDS: ReadonlySet<string> = new Set([
  'mynetworks',
  'mydestination',
  'local_recipient_maps',
  'virtual_alias_domains',
  'virtual_alias_maps',
  'virtual_mailbox_domains',
  'virtual_mailbox_maps',
  'relay_domains',
  'relay_recipient_maps',
  'rbl_reply_maps',
  'permit_mx_backup_networks',
  'relay_clientcerts',
  'smtpd_sender_login_maps',
]);
/** What is another kind of value here. */
const OWN: Readonly<Record<string, (text: string, main: Main) => readonly (readonly [string, Value])[]>> = {
  myhostname: (text) => [['hostname', text]],
  mydomain: (text) => [['domain', text]],
  parent_domain_matches_subdomains: (text) => [['policy.parentDomainMatches', words(text).includes('smtpd_access_maps')]],
  smtpd_restriction_classes: (text, main) => [['policy.restrictionClasses', words(text).map((name) => `${name} = ${main[name] ?? ''}`)]],
};

/** Setting by the parameter that its documentation compares it with. */
const BY_PARAMETER: ReadonlyMap<string, string> = new Map(
  Object.entries(SETTINGS).flatMap(([key, declared]) => {
    const name = /(?:^|; )Postfix ([A-Za-z_]+)$/.exec((declared as { see?: string }).see ?? '')?.[1];
    return name === undefined || key.startsWith('patterns.') ? [] : [[name, key] as const];
  }),
);

/** Throws for a parameter that has no setting. */
export function serverConfig(main: Main, fixed: Readonly<Record<string, Readonly<Record<string, Value>>>>): Config {
  const classes = new Set(words(main['smtpd_restriction_classes'] ?? ''));
  const entries: (readonly [string, Value])[] = [];
  for (const [name, text] of Object.entries(main)) {
    if (classes.has(name)) continue;
    const own = OWN[name];
    if (own !== undefined) {
      entries.push(...own(text, main));
      continue;
    }
    const key = BY_PARAMETER.get(name);
    if (key === undefined) throw new Error(`no setting for Postfix's ${name}`);
    entries.push([key, settingValue(key, name, text)]);
  }
  const config: Record<string, any> = { ...fixed };
  for (const [key, value] of entries) {
    const [table, name] = key.split('.') as [string, string | undefined];
    if (name === undefined) config[table] = value;
    else config[table] = { ...config[table], [name]: value };
  }
  return config;
}

function settingValue(key: string, parameter: string, text: string): Value {
  const { default: usual } = SETTINGS[key as keyof typeof SETTINGS] as { default: unknown };
  if (Array.isArray(usual)) return WORDS.has(parameter) ? words(text) : whole(text);
  if (typeof usual === 'boolean') return text === 'yes';
  return typeof usual === 'number' ? Number(text) : text;
}
