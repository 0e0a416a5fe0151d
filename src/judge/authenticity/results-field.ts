/** Authentication-Results (RFC 8601): what was found, for the programs behind us; and the fields of others that claim to be ours. */
import { formatAddress } from '../../mail/address.ts';
import { fieldValue } from '../../mail/header.ts';
import type { Address, HeaderEdit } from '../../ports.ts';
import type { ArcResult } from './arc.ts';
import type { DkimResult } from './dkim.ts';
import type { DmarcResult } from './dmarc.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import type { MessageHeader } from './message-header.ts';
import { comment, pvalue } from './quoting.ts';
import type { SpfResult } from './spf.ts';

export interface Findings {
  readonly ip: string | null;
  readonly helo: string | null;
  readonly sender: Address | null;
  /** The login name, for mail of our own users. */
  readonly login: string | null;
  /** Names of the client in DNS, when somebody looked. */
  readonly reverse: { readonly name: string | null; readonly isConfirmed: boolean } | null;
  readonly spf: SpfResult | null;
  readonly heloSpf: SpfResult | null;
  readonly dkim: readonly DkimResult[];
  readonly dmarc: DmarcResult;
  readonly arc: ArcResult;
}

/** authserv-id and results, `separator` between them: "mx.example.org;\r\n\tspf=pass …". */
export function authenticationResults(authservId: string, findings: Findings, separator: string): string {
  const { spf, heloSpf, dkim, dmarc, arc, reverse, ip } = findings;
  const results: string[] = [];
  if (findings.login !== null) results.push(`auth=pass smtp.auth=${pvalue(findings.login)}`);
  if (reverse !== null && ip !== null) {
    const name = reverse.name === null ? '' : ` (${comment(reverse.name)})`;
    results.push(`iprev=${reverse.isConfirmed ? 'pass' : reverse.name === null ? 'permerror' : 'fail'}${name} policy.iprev=${pvalue(ip)}`);
  }
  if (spf !== null) results.push(spfResult(spf, findings));
  if (heloSpf !== null) results.push(spfResult(heloSpf, findings));
  if (dkim.length === 0 && findings.login === null) results.push('dkim=none');
  for (const signature of dkim.slice(0, AUTHENTICITY_LIMITS.listedSignatures)) results.push(dkimResult(signature));
  if (findings.login === null) results.push(dmarcResult(dmarc));
  if (arc.result !== 'none') {
    const about = arc.result === 'pass' ? `${arc.sets.length} sets, d=${arc.sealer}` : (arc.reason ?? '');
    results.push(`arc=${arc.result} (${comment(about)})${ip === null ? '' : ` smtp.remote-ip=${pvalue(ip)}`}`);
  }
  return `${pvalue(authservId)};${separator}${results.length === 0 ? 'none' : results.join(`;${separator}`)}`;
}

function spfResult(spf: SpfResult, { sender, helo }: Findings): string {
  const about = spf.problem ?? (spf.mechanism === null ? '' : spf.mechanism);
  const remark = about === '' ? '' : ` (${comment(about)})`;
  if (spf.scope === 'helo') return `spf=${spf.result}${remark} smtp.helo=${pvalue(helo ?? '')}`;
  return `spf=${spf.result}${remark} smtp.mailfrom=${pvalue(sender === null ? '' : formatAddress(sender))}`;
}

function dkimResult(signature: DkimResult): string {
  const { domain, selector, identity, algorithm, bits } = signature;
  const remarks = [bits > 0 && algorithm.startsWith('rsa') ? `${bits}-bit key` : '', signature.isTesting ? 'testing' : '', signature.reason ?? ''].filter(
    (remark) => remark !== '',
  );
  let text = `dkim=${signature.result}`;
  if (remarks.length > 0) text += ` (${comment(remarks.join(', '))})`;
  if (domain !== '') text += ` header.d=${pvalue(domain)}`;
  if (identity !== null) text += ` header.i=${pvalue(identity)}`;
  if (selector !== '') text += ` header.s=${pvalue(selector)}`;
  if (algorithm !== '') text += ` header.a=${pvalue(algorithm)}`;
  return signature.signature === '' ? text : `${text} header.b=${pvalue(signature.signature)}`;
}

function dmarcResult(dmarc: DmarcResult): string {
  const remarks = [dmarc.policy === null ? '' : `p=${dmarc.policy} dis=${dmarc.disposition}`, dmarc.override?.comment ?? '', dmarc.reason ?? ''].filter(
    (remark) => remark !== '',
  );
  const from = dmarc.domain === null ? '' : ` header.from=${pvalue(dmarc.domain)}`;
  const policy = dmarc.policy === null ? '' : ` policy.dmarc=${dmarc.disposition}`;
  return `dmarc=${dmarc.result}${remarks.length === 0 ? '' : ` (${comment(remarks.join(', '))})`}${from}${policy}`;
}

/** Takes out Authentication-Results fields that bear our name, and those whose name cannot be read: from the last one, so that counts hold. */
export function forgedResults(header: MessageHeader, authservId: string): HeaderEdit[] {
  const edits: HeaderEdit[] = [];
  const own = authservId.toLowerCase();
  for (let i = header.results.length - 1; i >= 0; i -= 1) {
    const id = authservIdOf(fieldValue(header.bytes, header.results[i]!, 2048));
    if (id === null || id.toLowerCase() === own) edits.push({ kind: 'change', name: 'Authentication-Results', nth: i + 1, value: '' });
  }
  return edits;
}

/** The authserv-id at the start of a value: a token or quoted string after blanks and comments. Null when there is none. */
export function authservIdOf(value: string): string | null {
  let at = 0;
  let depth = 0;
  for (; at < value.length; at += 1) {
    const c = value[at]!;
    if (c === '(') depth += 1;
    else if (c === ')' && depth > 0) depth -= 1;
    else if (depth > 0 && c === '\\') at += 1;
    else if (depth === 0 && c !== ' ' && c !== '\t') break;
  }
  if (depth > 0) return null;
  const rest = value.slice(at);
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(rest);
  if (quoted !== null) return quoted[1]!.replace(/\\(.)/g, '$1');
  return /^[^\s;()<>@,:\\"/[\]?=]+(?=$|[\s;(])/.exec(rest)?.[0] ?? null;
}
