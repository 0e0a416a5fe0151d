/** check_policy_service: another program decides (Postfix SMTPD_POLICY_README). */
import { parsePolicyEndpoint } from '../../policy-client.ts';
import { bracedParts } from '../split.ts';
import { type Restriction, WrongArgument } from '../restriction.ts';
import type { PolicyServiceOptions } from '../ports.ts';
import type { PolicyConfig } from '../config.ts';
import type { ClientNames } from '../facts.ts';
import type { Run } from '../run.ts';
import type { Status } from '../status.ts';
import type { Subject, SubjectName } from '../words.ts';

/** The attributes of a question, in Postfix 3.7's order. */
export function policyAttributes(run: Run, names: ClientNames, serviceContext: string): Readonly<Record<string, string>> {
  const { facts } = run;
  const certificate = facts.tls?.certificate ?? null;
  const isMessage = facts.state === 'DATA' || facts.state === 'END-OF-MESSAGE';
  const recipient = run.recipient === null ? '' : (facts.recipientText ?? '');
  return {
    request: 'smtpd_access_policy',
    protocol_state: facts.state,
    protocol_name: facts.protocol,
    client_address: facts.client.ip,
    client_name: names.name,
    client_port: String(facts.client.port),
    reverse_client_name: names.reverseName,
    server_address: facts.localAddress,
    server_port: String(facts.localPort),
    helo_name: facts.helo ?? '',
    sender: facts.senderText ?? '',
    recipient,
    recipient_count: isMessage ? String(facts.recipientCount) : '0',
    queue_id: facts.queueId,
    instance: facts.instance,
    size: String(facts.messageBytes > 0 ? facts.messageBytes : facts.declaredBytes),
    etrn_domain: facts.etrnDomain ?? '',
    stress: '',
    sasl_method: facts.saslMechanism ?? '',
    sasl_username: facts.login ?? '',
    sasl_sender: '',
    ccert_subject: certificate?.isTrusted === true ? xtext(certificate.subject) : '',
    ccert_issuer: certificate?.isTrusted === true ? xtext(certificate.issuer) : '',
    ccert_fingerprint: certificate?.fingerprint ?? '',
    ccert_pubkey_fingerprint: certificate?.publicKeyFingerprint ?? '',
    encryption_protocol: facts.tls?.version ?? '',
    encryption_cipher: facts.tls?.cipher ?? '',
    encryption_keysize: String(facts.tls?.bits ?? 0),
    policy_context: serviceContext,
  };
}

/** As RFC 1891 xtext: names in certificates may hold anything. */
function xtext(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => (byte > 0x20 && byte < 0x7f && byte !== 0x2b ? String.fromCharCode(byte) : `+${byte.toString(16).toUpperCase().padStart(2, '0')}`))
    .join('');
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1000],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 604_800_000],
]);

function timeOf(text: string): number {
  const match = /^(\d{1,9})([smhdw]?)$/.exec(text);
  if (match === null) throw new WrongArgument(`"${text}" is no time such as 10s`);
  return Number(match[1]) * UNITS.get(match[2]!)!;
}

interface Server {
  readonly endpoint: string;
  readonly options: PolicyServiceOptions;
  readonly context: string;
}

/** `inet:host:port`, `unix:path`, or `{ inet:host:port, timeout=10s, default_action=DUNNO, policy_context=x }` (Postfix 3.0). */
export function parsePolicyServer(argument: string, config: PolicyConfig): Server {
  const usual = {
    timeoutMs: config.serviceTimeoutMs,
    defaultAction: config.serviceDefaultAction,
    retryMs: config.serviceRetryMs,
    tryLimit: config.serviceTryLimit,
  };
  const settings = splitSettings(argument);
  const endpoint = settings[0]!;
  if (parsePolicyEndpoint(endpoint) === null) throw new WrongArgument(`"${endpoint}" is no server such as inet:127.0.0.1:10031 or unix:/path`);
  let context = config.serviceContext;
  for (const setting of settings.slice(1)) {
    const at = setting.indexOf('=');
    const name = (at === -1 ? setting : setting.slice(0, at)).trim();
    const value = at === -1 ? '' : setting.slice(at + 1).trim();
    switch (name) {
      case 'timeout':
        usual.timeoutMs = timeOf(value);
        break;
      case 'retry_delay':
        usual.retryMs = timeOf(value);
        break;
      case 'try_limit':
        if (!/^\d{1,3}$/.test(value)) throw new WrongArgument(`try_limit: "${value}" is no number`);
        usual.tryLimit = Number(value);
        break;
      case 'default_action':
        usual.defaultAction = value;
        break;
      case 'policy_context':
        context = value;
        break;
      case 'max_idle':
      case 'max_ttl':
      case 'request_limit':
        break; // of Postfix's connections; ours are the client's own business
      default:
        throw new WrongArgument(`unknown setting "${name}"`);
    }
  }
  return { endpoint, options: usual, context };
}

/** Settings are parted by commas or white space; braces protect a value with spaces: `{ default_action = 450 later }`. */
function splitSettings(argument: string): string[] {
  const parts = bracedParts(argument);
  if (parts === null) return [argument];
  if (parts.length === 0) throw new WrongArgument('needs a server');
  const settings: string[] = [];
  for (const part of parts) {
    const last = settings.length - 1;
    if (part.startsWith('{')) settings.push(part.slice(1, part.endsWith('}') ? -1 : undefined).trim());
    else if (last > 0 && (part.startsWith('=') || settings[last]!.endsWith('='))) settings[last] += part;
    else settings.push(part);
  }
  return settings;
}

export const SERVICE: readonly Restriction[] = [
  {
    names: ['check_policy_service'],
    argument: 'server',
    isPerRecipient: true,
    doc: 'Asks a policy server (greylisting and the like) and does what it says.',
    build: (argument, builder) => {
      const server = parsePolicyServer(argument, builder.config);
      return async (run: Run, name: SubjectName, subject: Subject): Promise<Status> => {
        const attributes = policyAttributes(run, await run.names(), server.context);
        const options = run.signal === undefined ? server.options : { ...server.options, signal: run.signal };
        const action = await builder.context.service.ask(server.endpoint, attributes, options);
        return builder.actions.perform(run, builder.list, action, server.endpoint, 'policy query', name, subject);
      };
    },
  },
];
