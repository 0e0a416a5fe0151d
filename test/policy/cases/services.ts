import { CLIENTS } from '../small-world.ts';
import { FOREIGN_RECIPIENT, GOOD_RECIPIENT, GOOD_SENDER, HELLO, MESSAGE, type Setup } from '../types.ts';

/** What the policy server of the test does, by the local part of the sender; null: it hangs up. */
export const POLICY_ACTIONS: Readonly<Record<string, string | null>> = {
  dunno: 'DUNNO',
  ok: 'OK',
  reject: 'REJECT 5.1.1 said the server',
  later: 'DEFER_IF_PERMIT greylisted',
  code: '451 4.7.1 come back',
  prepend: 'PREPEND X-Policy: yes',
  nonsense: 'no such action',
  gone: null,
};
export const POLICY_PORT = 10_031;
const SERVER = `inet:127.0.0.1:${POLICY_PORT}`;
const senders = Object.keys(POLICY_ACTIONS).map((local) => ({
  name: local,
  from: CLIENTS.known,
  says: [HELLO, `MAIL FROM:<${local}@good.test> SIZE=1234`, GOOD_RECIPIENT, FOREIGN_RECIPIENT, 'RCPT TO:<bert@us.test>', 'DATA', '.'],
}));
const shown = (words: string, main: Readonly<Record<string, string>> = {}): Setup => ({
  name: words,
  main: { smtpd_tls_ask_ccert: 'yes', smtpd_client_restrictions: `${words}, reject`, ...main },
  files: { fingerprints: '$fingerprint OK\n', keys: '$pubkey 450 4.1.1 by key\n', others: 'AA:BB OK\n' },
  conversations: [
    { name: 'a certificate', from: CLIENTS.known, says: [HELLO, 'STARTTLS', HELLO, GOOD_SENDER, GOOD_RECIPIENT] },
    { name: 'in clear text', from: CLIENTS.known, says: MESSAGE },
  ],
});

/** Other servers and certificates. */
export const SERVICES: readonly Setup[] = [
  { name: 'check_policy_service in the recipient list', main: { smtpd_recipient_restrictions: `check_policy_service ${SERVER}` }, conversations: senders },
  {
    name: 'check_policy_service in other lists',
    main: {
      smtpd_client_restrictions: `check_policy_service ${SERVER}`,
      smtpd_data_restrictions: `check_policy_service ${SERVER}`,
      smtpd_end_of_data_restrictions: `check_policy_service ${SERVER}`,
      smtpd_policy_service_default_action: 'DUNNO',
      smtpd_policy_service_policy_context: 'here',
    },
    conversations: senders,
  },
  {
    name: 'check_policy_service with settings of its own',
    main: {
      smtpd_recipient_restrictions: `check_policy_service { inet:127.0.0.1:1, timeout=5s, try_limit=1, { default_action = 450 no server }, policy_context=own }`,
    },
    conversations: [{ name: 'nobody there', from: CLIENTS.known, says: MESSAGE }],
  },
  {
    name: 'check_policy_service without a server',
    main: { smtpd_recipient_restrictions: 'check_policy_service inet:127.0.0.1:1' },
    conversations: [{ name: 'nobody there', from: CLIENTS.known, says: MESSAGE }],
  },
  shown('permit_tls_clientcerts', { relay_clientcerts: 'texthash:$dir/fingerprints' }),
  { ...shown('permit_tls_clientcerts', { relay_clientcerts: 'texthash:$dir/others' }), name: 'permit_tls_clientcerts of others' },
  shown('permit_tls_all_clientcerts', { smtpd_tls_CAfile: '$clientcert' }),
  { ...shown('permit_tls_all_clientcerts'), name: 'permit_tls_all_clientcerts without an authority' },
  shown('check_ccert_access texthash:$dir/fingerprints'),
  shown('check_ccert_access texthash:$dir/keys'),
  shown('check_ccert_access { texthash:$dir/keys, { search_order = pubkey_fingerprint } }'),
  shown('check_ccert_access { texthash:$dir/keys, { search_order = cert_fingerprint } }'),
  {
    name: 'reject_unverified_recipient',
    main: { smtpd_recipient_restrictions: 'reject_unverified_recipient' },
    conversations: ['good@probe.test', 'bad@probe.test', 'later@probe.test'].map((address) => ({
      name: address,
      from: CLIENTS.trusted,
      says: [HELLO, GOOD_SENDER, `RCPT TO:<${address}>`],
    })),
  },
  {
    name: 'reject_unverified_sender',
    main: { smtpd_sender_restrictions: 'reject_unverified_sender', unverified_sender_reject_code: '550', unverified_sender_reject_reason: 'no such sender' },
    conversations: ['good@probe.test', 'bad@probe.test', 'later@probe.test', ''].map((address) => ({
      name: address,
      from: CLIENTS.known,
      says: [HELLO, `MAIL FROM:<${address}>`, GOOD_RECIPIENT],
    })),
  },
  {
    name: 'unverified addresses are taken',
    main: { smtpd_recipient_restrictions: 'reject_unverified_recipient', unverified_recipient_reject_code: '250', unverified_recipient_defer_code: '250' },
    conversations: ['bad@probe.test', 'later@probe.test'].map((address) => ({
      name: address,
      from: CLIENTS.trusted,
      says: [HELLO, GOOD_SENDER, `RCPT TO:<${address}>`],
    })),
  },
];
