/** Options of this server as a policy server for Postfix (`[face]` in posthorn.toml). */
import { parseListenAddress } from '../../../net/address.ts';
import { wrongNetwork } from '../../../net/networks.ts';
import { choice, count, duration, flag, list, MINUTE, SECOND, type SettingsOf } from '../../../system/declare.ts';

export const POLICY_FACE_SETTINGS = {
  'face.policyListen': list({
    default: [],
    accepts: 'a list of addresses: ["127.0.0.1:10031", "unix:/run/posthorn/policy"]',
    check: (entry) => (parseListenAddress(entry) === null ? 'is no address with a port, such as 127.0.0.1:10031, and no unix:/path' : undefined),
    takes: 'restart',
    doc: 'Where Postfix may ask this server about clients (check_policy_service): rates, SPF, greylisting. Empty: nowhere.',
    see: 'Postfix SMTPD_POLICY_README',
  }),
  'face.policyFrom': list({
    default: ['127.0.0.0/8', '::1'],
    accepts: 'a list of addresses and networks: ["192.0.2.1", "2001:db8::/32"]',
    check: wrongNetwork,
    doc: 'Who may ask over TCP. A unix socket is open to every user of the machine who can reach its folder.',
  }),
  'face.policyGreylist': flag({ default: true, doc: 'Whether unknown clients are asked to come back later (whatever greylist.mode says).' }),
  'face.policySpf': choice({
    of: ['off', 'mark', 'reject'],
    default: 'mark',
    doc: 'SPF: not checked, written into the message as Received-SPF, or that and mail refused where the domain says that the client may not send it (fail).',
    see: 'policyd-spf Mail_From_reject',
  }),
  'face.policyConnectionsMax': count({
    default: 500,
    least: 1,
    most: 100_000,
    doc: 'Connections of other mail servers open at the same time; every smtpd process of Postfix has one.',
  }),
  'face.policyIdle': duration({
    default: 20 * MINUTE,
    least: 10 * SECOND,
    most: 1440 * MINUTE,
    doc: 'A connection on which nothing is asked is closed after this.',
    see: 'longer than Postfix smtpd_policy_service_max_ttl',
  }),
};
export type PolicyFaceSettings = SettingsOf<typeof POLICY_FACE_SETTINGS>;
