/** Administration of Sieve scripts: of a user, of a domain, of the whole server. 'sieve.list', 'sieve.get', 'sieve.put', … */
import { accountInput, domainInput, refuse, sortedAccountInput } from '../../directory/admin/input.ts';
import type { AdminContext, AdminHandlers } from '../../ports.ts';
import { scriptName } from '../../wire/managesieve/name.ts';
import type { FilterProblem } from '../filters/filter.ts';
import type { ScriptEngine } from './engine.types.ts';
import { scriptFile } from './compiled.ts';
import { listScripts, type ScriptRow, scriptText } from './reader.ts';
import { accountOf, accountScope, domainScope, GLOBAL, type Place, type Scope, SHARED_PLACES } from './scope.ts';

export interface OwnedScriptRow extends ScriptRow {
  /** "anna@example.org", "example.org" or "global". */
  readonly owner: string;
}

export interface CheckedScript {
  readonly problems: readonly FilterProblem[];
  readonly warnings: readonly FilterProblem[];
}

/** The language is loaded when somebody asks: most commands do without. */
async function engineOf(context: AdminContext): Promise<ScriptEngine> {
  return (await import('./engine.ts')).sieveEngine(() => context.settings());
}

/** An address, a domain of ours, or "global". */
function ownerInput(context: AdminContext, value: unknown): { owner: string; scope: Scope } {
  if (value === GLOBAL) return { owner: GLOBAL, scope: GLOBAL };
  if (typeof value === 'string' && value.includes('@')) {
    const { id, login } = accountInput(context, value);
    return { owner: login, scope: accountScope(id) };
  }
  if (typeof value !== 'string' || value === '') return refuse('Please say whose script: a user such as anna@example.org, a domain, or "global".');
  const domain = domainInput(value);
  if (context.reader.rows('SELECT 1 FROM domain WHERE name=?', domain).length === 0) return refuse(`${domain} is no domain of this server.`);
  return { owner: domain, scope: domainScope(domain) };
}

function nameInput(value: unknown): string {
  if (typeof value !== 'string' || value === '') return refuse('Please give the name of the script.');
  return scriptName(value) ?? refuse('No script can have this name: up to 128 characters, no control characters.');
}

function placeInput(scope: Scope, value: unknown): Place {
  if (accountOf(scope) !== null) return value === undefined || value === null ? 'personal' : refuse('The scripts of a user have no place; one is made active.');
  const places: readonly unknown[] = SHARED_PLACES;
  return places.includes(value) ? (value as Place) : refuse(`Please say when it runs: ${SHARED_PLACES.join(', ')}.`);
}

/** One line for each problem, with where it is. Control characters of the script do not reach the terminal. */
export function problemLines(problems: readonly FilterProblem[]): string {
  return problems.map(({ file, line, text }) => `${file}${line > 0 ? `:${line}` : ''}: ${text}`.replaceAll(/\p{Cc}/gu, '\ufffd')).join('\n');
}

export const SCRIPTS_ADMIN: AdminHandlers = {
  /** {owner?}: of one owner, or of all. */
  'sieve.list': async (context, args): Promise<OwnedScriptRow[]> => {
    if (args?.owner !== undefined && args.owner !== null) {
      const { owner, scope } = ownerInput(context, args.owner);
      return listScripts(context.reader, scope).map((row) => ({ owner, ...row }));
    }
    const rows = context.reader.rows(
      "SELECT coalesce(a.login, replace(s.scope, 'domain:', '')), s.name, s.place, s.is_active, length(s.text), s.changed_at, s.reported_at FROM filter_script s LEFT JOIN account a ON s.scope='account:' || a.id ORDER BY s.scope='global' DESC, s.scope LIKE 'domain:%' DESC, 1, s.name",
    );
    return rows.map(
      ([owner, name, place, isActive, bytes, changedAt, reportedAt]) =>
        ({ owner, name, place, isActive: isActive === 1, bytes, changedAt, reportedAt }) as OwnedScriptRow,
    );
  },

  /** {owner, name}: the text. */
  'sieve.get': async (context, args): Promise<{ text: string }> => {
    const { owner, scope } = ownerInput(context, args.owner);
    const name = nameInput(args.name);
    const text = scriptText(context.reader, scope, name);
    if (text === null) return refuse(`There is no script "${name}" of ${owner}.`);
    return { text: Buffer.from(text).toString('utf8') };
  },

  /** {owner, name, text, place?, activate?}: stored when it is valid. */
  'sieve.put': async (context, args) => {
    const { owner, scope } = ownerInput(context, args.owner);
    const name = nameInput(args.name);
    const place = placeInput(scope, args.place ?? placeNow(context, scope, name));
    if (typeof args.text !== 'string' || args.text === '') return refuse('The script is empty.');
    if (args.activate === true && place !== 'personal') return refuse('Only the scripts of a user are activated; others run by their place.');
    if (args.activate === true) sortedAccountInput(context, args.owner);
    const text = Buffer.from(args.text, 'utf8');
    const { problems, warnings } = (await engineOf(context)).check(text, scriptFile(scope, name));
    if (problems.length > 0) return refuse(`The script is not valid; nothing was changed.\n${problemLines(problems)}`);
    const { isNew } = await context.writer.run<{ isNew: boolean }>('script.put', {
      scope,
      name,
      place,
      text,
      limits: null,
      isActivated: args.activate === true,
    });
    context.log.info('script.put', { account: owner, script: name, bytes: text.length, isNew });
    return { owner, name, place, isNew, warnings };
  },

  /** {owner, name, force?}: `force` takes an active script out of use first. */
  'sieve.delete': async (context, args) => {
    const { owner, scope } = ownerInput(context, args.owner);
    const name = nameInput(args.name);
    const row = listScripts(context.reader, scope).find((script) => script.name === name);
    if (row?.isActive === true) {
      if (args.force !== true)
        return refuse(`"${name}" is the active script of ${owner}: its mail would not be filtered any more. --force deletes it all the same.`);
      await context.writer.run('script.activate', { scope, name: '' });
    }
    await context.writer.run('script.delete', { scope, name });
    context.log.info('script.deleted', { account: owner, script: name });
    return { owner, name };
  },

  /** {owner, name, to} */
  'sieve.rename': async (context, args) => {
    const { owner, scope } = ownerInput(context, args.owner);
    const [name, to] = [nameInput(args.name), nameInput(args.to)];
    await context.writer.run('script.rename', { scope, from: name, to });
    context.log.info('script.renamed', { account: owner, script: name, to });
    return { owner, name, to };
  },

  /** {owner, name}: name null for none. */
  'sieve.activate': async (context, args) => {
    const { owner, scope } = ownerInput(context, args.owner);
    if (accountOf(scope) === null) return refuse('Only the scripts of a user are activated; others run by their place.');
    const name = args.name === null || args.name === undefined ? '' : nameInput(args.name);
    if (name !== '') sortedAccountInput(context, args.owner);
    await context.writer.run('script.activate', { scope, name });
    context.log.info('script.activated', { account: owner, script: name });
    return { owner, name };
  },

  /** {text, file}: compiled and forgotten. */
  'sieve.check': async (context, args): Promise<CheckedScript> => {
    if (typeof args.text !== 'string') return refuse('Please give the text of a script.');
    return (await engineOf(context)).check(Buffer.from(args.text, 'utf8'), String(args.file ?? 'script'));
  },
};

/** A script of a domain or of the server that is replaced keeps its place. */
function placeNow(context: AdminContext, scope: Scope, name: string): Place | undefined {
  if (accountOf(scope) !== null) return undefined;
  return listScripts(context.reader, scope).find((script) => script.name === name)?.place;
}
