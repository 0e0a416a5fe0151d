/** Options of posthorn doctor and posthorn dns: table `[doctor]` in posthorn.toml. */
import { isIP } from 'node:net';
import { count, duration, HOUR, list, type SettingsOf } from '../system/declare.ts';

export const DOCTOR_SETTINGS = {
  'doctor.addresses': list({
    default: [],
    accepts: 'a list of addresses',
    doc: 'Addresses by which others know this server, when they are not those of its own network interfaces (behind NAT).',
    see: 'Postfix proxy_interfaces',
    check: (entry) => (isIP(entry) === 0 ? 'must be an IP address' : undefined),
  }),
  'doctor.blocklists': list({
    default: [],
    accepts: 'a list of DNS lists, such as ["zen.spamhaus.org"]',
    doc: 'DNS lists that posthorn doctor looks for the addresses of this server in; their operators see the question.',
    check: (entry) => (/^[a-z0-9][a-z0-9.-]{1,252}$/i.test(entry) ? undefined : 'is not a domain'),
  }),
  'doctor.queueAgeMax': duration({ default: 4 * HOUR, doc: 'Mail that waits longer is worth a word of posthorn doctor.' }),
  'doctor.diskFreeMin': count({ default: 10, most: 90, doc: 'Free space and free inodes, in percent, below which posthorn doctor warns.' }),
};
export type DoctorSettings = SettingsOf<typeof DOCTOR_SETTINGS>;
