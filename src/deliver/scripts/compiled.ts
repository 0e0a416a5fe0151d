/**
 * The compiled scripts of a thread: what runs for an account, kept until an announcement says that something changed. Texts that have not
 * changed are not compiled again, and a script that a thousand accounts share is compiled once.
 */
import { createHash } from 'node:crypto';
import type { AccountId, Announcements, StoreReader } from '../../ports.ts';
import { activeScripts, type StoredScript } from './reader.ts';
import { accountOf, GLOBAL, type Scope } from './scope.ts';

/** Accounts whose scripts are remembered. */
const ACCOUNTS_MAX = 20_000;
/** Bytes of script text whose compiled form is kept; the form itself is some ten times as large. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024;

export interface CompiledScript<C> {
  readonly scope: Scope;
  readonly name: string;
  /** As journeys, logs and reports name it: "sieve:vacation", "sieve:global/spam", "sieve:example.org/archive". */
  readonly file: string;
  /** What the compiler made of it. */
  readonly compiled: C;
}

export interface CompiledScripts<C> {
  readonly before: readonly CompiledScript<C>[];
  readonly personal: CompiledScript<C> | null;
  readonly after: readonly CompiledScript<C>[];
  /** Nothing to run: the message is kept in the inbox. */
  readonly isEmpty: boolean;
}

export interface ScriptCache<C> {
  /** Answers from memory, or with one read of the store. `domain` is canonical. */
  of(accountId: AccountId, domain: string): CompiledScripts<C>;
  /** Options changed: compile everything anew. */
  clear(): void;
}

export interface ScriptCacheParts<C> {
  readonly reader: StoreReader;
  readonly announcements: Announcements;
  /** Pure, never throws. What it answers is shared by all accounts with this text. */
  compile(text: Uint8Array, file: string): C;
  readonly accountsMax?: number;
  readonly textBytesMax?: number;
}

/** The name of a script for people. */
export function scriptFile(scope: Scope, name: string): string {
  if (accountOf(scope) !== null) return `sieve:${name}`;
  return `sieve:${scope === GLOBAL ? 'global' : scope.slice('domain:'.length)}/${name}`;
}

export function createScriptCache<C>(parts: ScriptCacheParts<C>): ScriptCache<C> {
  const accountsMax = parts.accountsMax ?? ACCOUNTS_MAX;
  const textBytesMax = parts.textBytesMax ?? TEXT_BYTES_MAX;
  // Maps in the order of last use: the first entry is the one to forget.
  const byAccount = new Map<AccountId, { readonly domain: string; readonly scripts: CompiledScripts<C> }>();
  const byText = new Map<string, { readonly compiled: C; readonly bytes: number }>();
  let textBytes = 0;

  parts.announcements.on('directory', (news) => {
    if (news.kind !== 'directory') return;
    if (news.accounts === undefined || news.accounts.length === 0) byAccount.clear();
    else for (const id of news.accounts) byAccount.delete(id);
  });

  function compile(script: StoredScript): CompiledScript<C> {
    const file = scriptFile(script.scope, script.name);
    const key = `${createHash('sha256').update(script.text).digest('base64')} ${file}`;
    let entry = byText.get(key);
    if (entry === undefined) {
      entry = { compiled: parts.compile(script.text, file), bytes: script.text.length };
      textBytes += entry.bytes;
    } else byText.delete(key);
    byText.set(key, entry);
    for (const [oldKey, old] of byText) {
      if (textBytes <= textBytesMax || old === entry) break;
      byText.delete(oldKey);
      textBytes -= old.bytes;
    }
    return { scope: script.scope, name: script.name, file, compiled: entry.compiled };
  }

  function read(accountId: AccountId, domain: string): CompiledScripts<C> {
    const { before, personal, after } = activeScripts(parts.reader, accountId, domain);
    if (before.length === 0 && personal === null && after.length === 0) return EMPTY;
    return { before: before.map(compile), personal: personal === null ? null : compile(personal), after: after.map(compile), isEmpty: false };
  }

  return {
    of(accountId, domain) {
      const known = byAccount.get(accountId);
      if (known?.domain === domain) {
        // Moved to the end only now and then: most of the time there is room for all.
        if (byAccount.size >= accountsMax) {
          byAccount.delete(accountId);
          byAccount.set(accountId, known);
        }
        return known.scripts;
      }
      const scripts = read(accountId, domain);
      byAccount.delete(accountId);
      byAccount.set(accountId, { domain, scripts });
      if (byAccount.size > accountsMax) byAccount.delete(byAccount.keys().next().value!);
      return scripts;
    },
    clear() {
      byAccount.clear();
      byText.clear();
      textBytes = 0;
    },
  };
}

const EMPTY: CompiledScripts<never> = { before: [], personal: null, after: [], isEmpty: true };
