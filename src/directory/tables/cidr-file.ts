/** cidr tables: `network result`, `!network result`, `if network`, `if !network`, `endif`; the first line that holds counts. Pure. */
import { TableProblem } from './errors.ts';
import { ipWords, type IpWords, isInside, type Network, networkKey, parseNetwork } from './ip.ts';
import { TABLE_LIMITS } from './limits.ts';
import { type LineWarning, logicalLines, skipSpace, skipWord } from './lines.ts';

interface CidrRule {
  readonly line: number;
  readonly network: Network;
  readonly isNegated: boolean;
  readonly result: string;
  /** As in pattern-file.ts: where to go on when this is an `if` that does not hold; 0 for a rule with a result. */
  readonly skipTo: number;
}

export interface CidrFile {
  readonly size: number;
  readonly warnings: readonly LineWarning[];
  /** The result for an address; null also for what is no address. */
  find(ip: string): string | null;
  entries(): Iterable<readonly [string, string]>;
}

/** Below this many rules a walk through them is as fast as any index. */
const FEW_RULES = 12;

/** Throws TableProblem. */
export function parseCidrFile(text: string, file: string, rulesMax = 20_000): CidrFile {
  const { lines, warnings } = logicalLines(text);
  if (lines.length > rulesMax) throw new TableProblem(file, lines[rulesMax]!.line, `there are more than ${rulesMax} rules`);
  const rules: CidrRule[] = [];
  const sources: (readonly [string, string])[] = [];
  const open: number[] = [];
  for (const { text: line, line: number } of lines) {
    const fail = (sentence: string): TableProblem => new TableProblem(file, number, sentence);
    const word = /^(if|endif)(?=[^a-z]|$)/i.exec(line)?.[1]?.toLowerCase();
    if (word === 'endif') {
      const index = open.pop();
      if (index === undefined) throw fail('there is no "if" for this "endif"');
      if (line.length > 5) warnings.push({ line: number, sentence: 'text after "endif" is passed over' });
      rules[index] = { ...rules[index]!, skipTo: rules.length };
      continue;
    }
    let at = word === 'if' ? skipSpace(line, 2) : 0;
    const isNegated = line[at] === '!';
    if (isNegated) at = skipSpace(line, at + 1);
    const end = skipWord(line, at);
    const network = parseNetwork(line.slice(at, end));
    if (typeof network === 'string') throw fail(network);
    const result = line.slice(skipSpace(line, end));
    if (word === 'if') {
      if (result !== '') throw fail('there is text after "if" and its network');
      if (open.length >= TABLE_LIMITS.nesting) throw fail(`"if" is nested more than ${TABLE_LIMITS.nesting} deep`);
      open.push(rules.length);
    } else if (result === '') throw fail('the rule has no result');
    else sources.push([line.slice(0, end), result]);
    rules.push({ line: number, network, isNegated, result, skipTo: word === 'if' ? rules.length + 1 : 0 });
  }
  const left = open.pop();
  if (left !== undefined) throw new TableProblem(file, rules[left]!.line, 'this "if" has no "endif"');
  const isFlat = rules.length > FEW_RULES && rules.every((rule) => !rule.isNegated && rule.skipTo === 0);
  const search = isFlat ? indexed(rules) : (address: IpWords) => walk(rules, address);
  return {
    size: sources.length,
    warnings,
    find: (ip) => {
      const address = ipWords(ip);
      return address === null ? null : search(address);
    },
    entries: () => sources,
  };
}

function walk(rules: readonly CidrRule[], address: IpWords): string | null {
  for (let i = 0; i < rules.length; ) {
    const rule = rules[i]!;
    // Neither a network nor its negation says anything of the other family's addresses.
    const holds = address.length === rule.network.words.length && isInside(address, rule.network) !== rule.isNegated;
    if (rule.skipTo > 0) i = holds ? i + 1 : rule.skipTo;
    else if (holds) return rule.result;
    else i += 1;
  }
  return null;
}

/** One Map for each length of network that occurs; of those that hold, the rule that stands first counts. */
function indexed(rules: readonly CidrRule[]): (address: IpWords) => string | null {
  const families = [new Map<number, Map<number | string, number>>(), new Map<number, Map<number | string, number>>()];
  rules.forEach(({ network }, index) => {
    const lengths = families[network.words.length === 1 ? 0 : 1]!;
    let networks = lengths.get(network.bits);
    if (networks === undefined) {
      networks = new Map();
      lengths.set(network.bits, networks);
    }
    const key = networkKey(network.words, network.bits);
    if (!networks.has(key)) networks.set(key, index);
  });
  return (address) => {
    let first = Number.POSITIVE_INFINITY;
    for (const [bits, networks] of families[address.length === 1 ? 0 : 1]!) {
      const index = networks.get(networkKey(address, bits));
      if (index !== undefined && index < first) first = index;
    }
    return first === Number.POSITIVE_INFINITY ? null : rules[first]!.result;
  };
}
