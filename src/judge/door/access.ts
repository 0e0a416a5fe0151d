/** The administrator's word on a client before it is greeted: tables asked with its address (postscreen_access_list). */
import type { Log, Table, Tables } from '../../ports.ts';

export type AccessAnswer = { readonly kind: 'permit' } | { readonly kind: 'reject'; readonly text: string } | { readonly kind: 'dunno' };

const PERMIT: AccessAnswer = { kind: 'permit' };
const DUNNO: AccessAnswer = { kind: 'dunno' };

/** Asks the tables in turn; the first word other than dunno counts. A table that fails says dunno, with an event. */
export function askAccess(specs: readonly string[], ip: string, tables: Tables, log: Log): AccessAnswer | Promise<AccessAnswer> {
  for (let i = 0; i < specs.length; i += 1) {
    const found = find(specs[i]!, ip, tables, log);
    if (found instanceof Promise) return askRest(found, specs, i, ip, tables, log);
    const answer = read(found, specs[i]!, log);
    if (answer.kind !== 'dunno') return answer;
  }
  return DUNNO;
}

async function askRest(first: Promise<string | null>, specs: readonly string[], at: number, ip: string, tables: Tables, log: Log): Promise<AccessAnswer> {
  const answer = read(await settled(first, specs[at]!, log), specs[at]!, log);
  return answer.kind === 'dunno' ? askAccess(specs.slice(at + 1), ip, tables, log) : answer;
}

function find(spec: string, ip: string, tables: Tables, log: Log): string | null | Promise<string | null> {
  try {
    const table: Table = tables.open(spec);
    return table.find(ip);
  } catch (error) {
    // The door never refuses for a fault of ours: the client goes on to the next check.
    log.warn('door.access.failed', { table: spec, cause: String(error) });
    return null;
  }
}

async function settled(found: Promise<string | null>, spec: string, log: Log): Promise<string | null> {
  try {
    return await found;
  } catch (error) {
    log.warn('door.access.failed', { table: spec, cause: String(error) });
    return null;
  }
}

function read(value: string | null, spec: string, log: Log): AccessAnswer {
  if (value === null) return DUNNO;
  const text = value.trim();
  const space = text.search(/\s/);
  const word = (space === -1 ? text : text.slice(0, space)).toLowerCase();
  switch (word) {
    case 'permit':
    case 'ok':
      return PERMIT;
    case 'reject':
      return { kind: 'reject', text: space === -1 ? '' : text.slice(space).trim() };
    case 'dunno':
      return DUNNO;
    default:
      log.warn('door.access.unknown', { table: spec, value: text.slice(0, 100) });
      return DUNNO;
  }
}
