/** DNS lists of domains (`door.domainLists`): the sender's, the author's, and those of the links in a message. */
import type { Address, JudgeSymbol, MessageView } from '../ports.ts';
import type { AuthenticityResult } from './authenticity/verify.ts';
import { listSymbols, type ListScore } from './door/dnsbl.ts';
import { after, type Soon } from './soon.ts';

/** Domains asked about for one message. */
const DOMAINS_MAX = 10;
/** How much of a message is looked through for links. */
const SCANNED_BYTES = 64 * 1024;
const LINK = /https?:\/\/(?:[^\s/@"'<>]{0,64}@)?([a-z0-9][a-z0-9.-]{1,250}[a-z0-9])(?=[:/?#\s"'<>)\]]|$)/gi;

/** Host names of links as they stand in the text; encoded parts are the content rules' to open. */
export function linkDomains(message: MessageView): string[] {
  if (message.bytes === null) return [];
  const text = Buffer.from(message.bytes.buffer, message.bytes.byteOffset, Math.min(message.bytes.length, SCANNED_BYTES)).toString('latin1');
  const found = new Set<string>();
  for (const [, host] of text.matchAll(LINK)) {
    // Addresses of machines are not what these lists hold.
    if (host === undefined || !host.includes('.') || /^[\d.]+$/.test(host)) continue;
    found.add(host.toLowerCase());
    if (found.size >= DOMAINS_MAX) break;
  }
  return [...found];
}

/** Symbols for all listed domains; `query` is the door's (`JudgeDoor.queryDomainLists`). */
export function domainSymbols(
  message: MessageView,
  sender: Address | null,
  authenticity: AuthenticityResult,
  query: (domain: string) => Soon<ListScore>,
): Soon<readonly JudgeSymbol[]> {
  const asked: [what: string, domain: string][] = [];
  const seen = new Set<string>();
  const add = (what: string, domain: string): void => {
    if (seen.has(domain) || seen.size >= DOMAINS_MAX) return;
    seen.add(domain);
    asked.push([what, domain]);
  };
  if (sender !== null && !sender.domain.startsWith('[')) add('sender', sender.domain.toLowerCase());
  for (const domain of authenticity.author.domains) add('author', domain);
  for (const domain of linkDomains(message)) add('link', domain);
  const scores = asked.map(([, domain]) => query(domain));
  const symbols = (known: readonly ListScore[]): readonly JudgeSymbol[] =>
    known.flatMap((score, i) =>
      listSymbols(score).map((symbol) => ({ ...symbol, name: `${symbol.name}_${asked[i]![0].toUpperCase()}`, text: `${asked[i]![1]}: ${symbol.text}` })),
    );
  return scores.some((score) => score instanceof Promise) ? Promise.all(scores).then(symbols) : after(scores as readonly ListScore[], symbols);
}
