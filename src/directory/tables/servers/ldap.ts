/** ldap:/file.cf: a directory, with the parameters of Postfix's ldap_table(5). */
import { TableError } from '../errors.ts';
import type { ClosableTable, TableContext } from '../types.ts';
import { Answers } from './answers.ts';
import { domainGate } from './domains.ts';
import { Collected, expandKey, keyNeeds, keyParts, parseTemplate, type Template } from './expand.ts';
import { type Asker, askWithin, type KeyRules, parameterFile, reloadingTable } from './file-table.ts';
import { type LdapAnswer, type LdapLink, type LdapLogin, LdapRefusal, type LdapSearch, NO_SUCH_OBJECT, connectLdap } from './ldap-link.ts';
import { filterValue, type LdapUrl, nameValue, parseLdapUrl, type Scope } from './ldap-text.ts';
import { type ResultAttributes, Walk, type WalkRules } from './ldap-walk.ts';
import { HOSTS_MAX, REFERRAL_HOPS_MAX, ROWS_MAX } from './limits.ts';
import { type Known, readParameters, type TableParameters } from './parameters.ts';
import { LinkPool } from './pool.ts';

const KNOWN: Known = {
  names: [
    'server_host',
    'server_port',
    'timeout',
    'search_base',
    'query_filter',
    'result_format',
    'result_filter',
    'domain',
    'result_attribute',
    'special_result_attribute',
    'terminal_result_attribute',
    'leaf_result_attribute',
    'scope',
    'bind',
    'bind_dn',
    'bind_pw',
    'recursion_limit',
    'expansion_limit',
    'size_limit',
    'dereference',
    'chase_referrals',
    'version',
    'start_tls',
    'tls_ca_cert_dir',
    'tls_ca_cert_file',
    'tls_cert',
    'tls_key',
    'tls_require_cert',
    'tls_cipher_suite',
  ],
  ignored: new Map([
    ['cache', 'the option tables.cacheTtl says how long answers are kept'],
    ['cache_expiry', 'the option tables.cacheTtl says how long answers are kept'],
    ['cache_size', 'the option tables.cacheEntries says how many answers are kept'],
    ['debuglevel', 'there is no OpenLDAP library here'],
    ['tls_random_file', 'the system has a source of random numbers'],
    ['sasl_mechs', 'it only matters with bind = sasl'],
    ['sasl_realm', 'it only matters with bind = sasl'],
    ['sasl_authz_id', 'it only matters with bind = sasl'],
    ['sasl_minssf', 'it only matters with bind = sasl'],
  ]),
  secrets: ['bind_pw'],
};
/** ldap.h: LDAP_DEREF_NEVER, _SEARCHING, _FINDING, _ALWAYS. */
const DEREFERENCE: readonly LdapSearch['derefAliases'][] = ['never', 'search', 'find', 'always'];

export function openLdap(source: string, context: TableContext): ClosableTable {
  const file = parameterFile(source, context);
  return reloadingTable(file, context, () => make(readParameters(file, KNOWN, context), context));
}

interface LdapTable {
  readonly context: TableContext;
  readonly pool: LinkPool<LdapLink>;
  readonly login: LdapLogin;
  readonly base: Template;
  readonly filter: Template;
  readonly format: Template;
  readonly scope: Scope;
  readonly rules: KeyRules;
  readonly walk: WalkRules;
  readonly isChasing: boolean;
}

function make(parameters: TableParameters, context: TableContext): Asker {
  const table = readTable(parameters, context);
  const answers = new Answers(
    context,
    // A lookup may need several searches, each of which may take `timeout`.
    () => 3 * table.walk.timeoutMs,
    (key, signal) => table.pool.use((link, linkSignal) => lookUp(table, link, key, linkSignal), signal),
  );
  return {
    find: (key, signal) => askWithin(table.rules, context, key, signal, (parts) => answers.find(parts.key, signal)),
    close() {
      answers.close();
      table.pool.close();
    },
  };
}

async function lookUp(table: LdapTable, link: LdapLink, key: string, signal: AbortSignal): Promise<string | null> {
  const parts = keyParts(key, table.rules.needs)!; // Only keys that have their parts get here.
  const { requested, sizeLimit, derefAliases, timeoutMs, expansionLimit } = table.walk;
  const collected = new Collected(table.format, expansionLimit, parts);
  const base = expandKey(table.base, parts, nameValue);
  const search: Searching = (one) => searchChasing(table, link, one, signal);
  try {
    const { entries } = await search({
      base,
      scope: table.scope,
      filter: expandKey(table.filter, parts, filterValue),
      attributes: requested,
      sizeLimit,
      derefAliases,
      timeoutMs,
    });
    const walk = new Walk(table.walk, collected, search, (name) => table.context.log.info('table.member.lost', { table: table.context.name, name }));
    await walk.entries(entries);
    return collected.result();
  } catch (error) {
    if (!(error instanceof LdapRefusal)) throw error;
    // A base made of the key need not exist for every key; a fixed one must.
    if (error.resultCode === NO_SUCH_OBJECT && table.base.some((piece) => typeof piece !== 'string')) return null;
    throw new TableError(table.context.name, error.resultCode === NO_SUCH_OBJECT ? `search_base "${base}" is not there` : error.message, { cause: error });
  }
}

type Searching = (search: LdapSearch) => Promise<LdapAnswer>;

/** A search, continued on other servers where the answer says so and chase_referrals is on. There no password is shown: servers are named by the answer. */
async function searchChasing(table: LdapTable, link: LdapLink, search: LdapSearch, signal: AbortSignal, hops = 0): Promise<LdapAnswer> {
  const answer = await link.search(search);
  if (!table.isChasing || answer.references.length === 0) return answer;
  if (hops >= REFERRAL_HOPS_MAX) throw new LdapRefusal(4, `the server refers to others more than ${REFERRAL_HOPS_MAX} times in a row`);
  const entries = [...answer.entries];
  for (const reference of answer.references.slice(0, HOSTS_MAX)) {
    const url = parseLdapUrl(reference);
    if (url === null) throw new LdapRefusal(10, `the server refers to "${reference.slice(0, 200)}"`);
    const other = await connectLdap(url, { ...table.login, isBound: true, dn: '', password: '' }, signal);
    try {
      // RFC 4511 section 4.5.3: what the URL leaves out stays as it was.
      const scope = /\?[^?]*\?(?:base|one|sub)/i.test(reference) ? url.scope : search.scope;
      const more = await searchChasing(table, other, { ...search, base: url.base === '' ? search.base : url.base, scope }, signal, hops + 1);
      entries.push(...more.entries);
    } finally {
      other.close();
    }
  }
  return { entries, references: [] };
}

function readTable(parameters: TableParameters, context: TableContext): LdapTable {
  const login = loginOf(parameters);
  const base = templateOf(parameters, 'search_base', parameters.needed('search_base'));
  const filter = templateOf(parameters, 'query_filter', parameters.text('query_filter', 'mailacceptinggeneralid=%s'));
  if (!isBalanced(filter)) throw parameters.problem('query_filter', 'its parentheses do not match');
  const formatName = parameters.has('result_format') ? 'result_format' : 'result_filter';
  const format = templateOf(parameters, formatName, parameters.text(formatName, '%s'));
  const attributes = attributesOf(parameters);
  const expansionLimit = parameters.count('expansion_limit', 0, 0, ROWS_MAX);
  const scope = parameters.text('scope', 'sub').toLowerCase();
  if (scope !== 'sub' && scope !== 'base' && scope !== 'one') throw parameters.problem('scope', `must be sub, base or one, not "${scope}"`);
  const version = parameters.count('version', 3, 2, 3);
  if (version === 2) context.log.info('table.warning', { table: context.name, file: parameters.file, cause: 'version 2 is history; version 3 is spoken' });
  const urls = urlsOf(parameters);
  return {
    context,
    // In the order given, as OpenLDAP's library tries them.
    pool: new LinkPool(
      context,
      urls.map((url) => [{ name: showUrl(url), connect: (signal) => connectLdap(url, login, signal) }]),
    ),
    login,
    base,
    filter,
    format,
    scope,
    rules: { needs: keyNeeds([base, filter], format), gate: domainGate(parameters, context) },
    walk: {
      attributes,
      requested: [...attributes.ordinary, ...attributes.terminal, ...attributes.leaf, ...attributes.special],
      recursionLimit: parameters.count('recursion_limit', 1000, 1, 10_000),
      sizeLimit: parameters.count('size_limit', expansionLimit, 0, ROWS_MAX),
      expansionLimit,
      derefAliases: DEREFERENCE[parameters.count('dereference', 0, 0, 3)]!,
      timeoutMs: parameters.milliseconds('timeout', 10_000, 3600) || 1,
    },
    isChasing: parameters.flag('chase_referrals', false),
  };
}

function templateOf(parameters: TableParameters, name: string, text: string): Template {
  const template = parseTemplate(text);
  if ('wrong' in template) throw parameters.problem(name, template.wrong);
  return template;
}

/** The rest of a filter is checked when it is used: only then is it whole. */
function isBalanced(filter: Template): boolean {
  let depth = 0;
  for (const char of filter.map((piece) => (typeof piece === 'string' ? piece : '')).join('')) {
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

function attributesOf(parameters: TableParameters): ResultAttributes {
  const names = (name: string, byDefault: string): readonly string[] => parameters.words(name, byDefault).map((word) => word.toLowerCase());
  const attributes = {
    ordinary: names('result_attribute', 'maildrop'),
    special: names('special_result_attribute', ''),
    terminal: names('terminal_result_attribute', ''),
    leaf: names('leaf_result_attribute', ''),
  };
  if (Object.values(attributes).every((list) => list.length === 0)) throw parameters.problem('result_attribute', 'no attribute is named');
  return attributes;
}

function loginOf(parameters: TableParameters): LdapLogin {
  const bind = parameters.text('bind', 'yes').toLowerCase();
  if (bind === 'sasl') throw parameters.problem('bind', 'sasl is not spoken here; use simple with bind_dn and bind_pw over start_tls, ldaps or ldapi');
  const isBound = ['yes', 'simple', 'true'].includes(bind);
  if (!isBound && !['no', 'none', 'false'].includes(bind)) throw parameters.problem('bind', `must be yes, no, simple or none, not "${bind}"`);
  const [dn, password] = [parameters.text('bind_dn', ''), parameters.text('bind_pw', '')];
  // RFC 4513 section 5.1.2: a name without a password is let in as nobody.
  if (isBound && dn !== '' && password === '') throw parameters.problem('bind_dn', 'has no bind_pw: the server would take it for an anonymous bind');
  return {
    isBound,
    dn,
    password,
    startTls: parameters.flag('start_tls', false),
    tls: {
      isVerified: parameters.flag('tls_require_cert', false),
      authorityFile: parameters.text('tls_ca_cert_file', ''),
      authorityFolder: parameters.text('tls_ca_cert_dir', ''),
      cert: parameters.text('tls_cert', ''),
      key: parameters.text('tls_key', ''),
      ciphers: parameters.text('tls_cipher_suite', ''),
    },
  };
}

function urlsOf(parameters: TableParameters): readonly LdapUrl[] {
  const words = parameters.words('server_host', 'localhost');
  const port = parameters.count('server_port', 389, 1, 65_535);
  if (words.length === 0 || words.length > HOSTS_MAX) throw parameters.problem('server_host', `must name 1 to ${HOSTS_MAX} servers`);
  return words.map((word) => {
    const url = parseLdapUrl(/^ldap[si]?:/i.test(word) ? word : `ldap://${word}`);
    if (url === null) throw parameters.problem('server_host', `"${word}" is not a host, host:port or a URL ldap://, ldaps:// or ldapi://`);
    return url.scheme === 'ldap' && url.port === null ? { ...url, port } : url;
  });
}

function showUrl(url: LdapUrl): string {
  const host = url.scheme === 'ldapi' ? encodeURIComponent(url.host) : url.host.includes(':') ? `[${url.host}]` : url.host;
  return `${url.scheme}://${host}${url.port === null ? '' : `:${url.port}`}`;
}
