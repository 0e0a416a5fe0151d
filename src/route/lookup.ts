/** Rewriting tables asked for addresses: Postfix's search order, and what the results mean. */
import { TableError } from '../directory/tables/errors.ts';
import { type Found, findFirst, rewriteKeys, rewritten } from '../directory/tables/search.ts';
import { formatAddress, parseMailbox } from '../mail/address.ts';
import type { Address, RouteStep, Table } from '../ports.ts';
import { after, type Soon } from './soon.ts';

/** What lookups need to know of this host. */
export interface LookupScope {
  readonly delimiters: string;
  /** The user alone is a key for addresses in these domains (myorigin, mydestination). */
  isOwn(domain: string): Soon<boolean>;
  /** A text without domain, such as "root", completed; null when it is no address. */
  complete(text: string): Address | null;
  /** Names a finding in a step: with the line of the table's file, where there is one. */
  where(option: string, found: Found): string;
}

/** Gathers the way of an address, when somebody wants to see it. */
export class Trail {
  readonly steps: RouteStep[];
  readonly #most: number;
  constructor(steps: RouteStep[], most: number) {
    this.steps = steps;
    this.#most = most;
  }
  /** One step; below that of the address `under`, behind what is there already, so that the list reads as a tree. */
  add(depth: number, what: string, by: string, under?: Address): void {
    this.insert([{ depth, what, by }], depth, under);
  }

  insert(steps: readonly RouteStep[], depth: number, under?: Address): void {
    const room = this.#most - this.steps.length;
    this.steps.splice(under === undefined ? this.steps.length : this.#placeUnder(formatAddress(under), depth - 1), 0, ...steps.slice(0, Math.max(0, room)));
  }

  #placeUnder(parent: string, depth: number): number {
    const at = this.steps.findLastIndex((step) => step.depth === depth && step.what === parent);
    if (at === -1) return this.steps.length;
    let end = at + 1;
    while (end < this.steps.length && this.steps[end]!.depth > depth) end += 1;
    return end;
  }
}

/** Mailboxes in tables may be longer than SMTP allows; they are cut nowhere. */
const READ = { utf8: true, localBytes: 1000 } as const;

/** "local@domain", quoted local parts included; null when it is none. */
export function readAddress(text: string): Address | null {
  return parseMailbox(text, READ);
}

export class AddressTables {
  /** Names the option in steps: "canonicalMaps". */
  readonly option: string;
  readonly #tables: readonly Table[];
  readonly #scope: LookupScope;
  readonly #propagates: boolean;

  constructor(option: string, tables: readonly Table[], scope: LookupScope, propagates = false) {
    this.option = option;
    this.#tables = tables;
    this.#scope = scope;
    this.#propagates = propagates;
  }

  get isEmpty(): boolean {
    return this.#tables.length === 0;
  }

  /** user+ext@domain, user@domain, user+ext and user at own domains, @domain. Throws or rejects with TableError. */
  find(address: Address): Soon<Found | null> {
    if (this.#tables.length === 0) return null;
    const { delimiters } = this.#scope;
    // Patterns see the address as it is, the others its lower-case form.
    return after(this.#scope.isOwn(address.domain), (own) => findFirst(this.#tables, rewriteKeys(address, { delimiters, isOwnDomain: () => own })));
  }

  /** One key as it is, such as "<>". */
  findKey(key: string): Soon<Found | null> {
    return findFirst(this.#tables, [key]);
  }

  /** The addresses it leads to. Rejects or throws with TableError for a value that holds none. */
  map(address: Address): Soon<{ readonly found: Found; readonly targets: readonly Address[] } | null> {
    return after(this.find(address), (found) => (found === null ? null : { found, targets: this.targets(found, address) }));
  }

  targets(found: Found, address: Address): Address[] {
    // What stands for a whole domain has no extension that could be unmatched.
    const propagates = this.#propagates && !found.key.startsWith('@');
    return rewritten(found, address, this.#scope.delimiters, propagates).map((text) => this.read(text, found));
  }

  read(text: string, found: Found): Address {
    const address = this.#scope.complete(text);
    if (address === null) throw new TableError(found.table.name, `the value of ${found.key}, "${text.slice(0, 100)}", is no address`);
    return address;
  }

  where(found: Found): string {
    return this.#scope.where(this.option, found);
  }
}
