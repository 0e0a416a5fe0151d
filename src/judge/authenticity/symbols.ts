/** The symbols of this room with their weights, and which of them a message gets. */
import type { JudgeSymbol } from '../../ports.ts';
import type { Author } from './author.ts';
import type { SpfCode } from './spf.ts';
import type { Findings } from './results-field.ts';

/** Weights: alone, only DMARC's word decides; an unknown sender with bad marks gathers them towards the thresholds of 4, 6 and 15. */
export const AUTHENTICITY_WEIGHTS = {
  SPF_PASS: -0.2,
  SPF_FAIL: 3,
  SPF_SOFTFAIL: 1.5,
  SPF_NEUTRAL: 0.3,
  SPF_NONE: 0.5,
  SPF_TEMPERROR: 0,
  SPF_PERMERROR: 1,
  SPF_HELO_FAIL: 2,
  DKIM_VALID: -0.2,
  DKIM_VALID_AUTHOR: -0.3,
  DKIM_INVALID: 0.5,
  DKIM_WEAK: 0.3,
  DKIM_TEMPERROR: 0,
  DMARC_PASS: -0.5,
  DMARC_NONE: 0.2,
  DMARC_FAIL: 1,
  DMARC_QUARANTINE: 6,
  DMARC_REJECT: 15,
  DMARC_OVERRIDDEN: 0,
  DMARC_TEMPERROR: 0,
  DMARC_PERMERROR: 0.5,
  ARC_VALID: 0,
  ARC_INVALID: 0.5,
  ARC_TRUSTED: -0.5,
  FROM_MISSING: 3,
  FROM_SEVERAL: 5,
  FROM_INVALID: 2.5,
  FROM_NAME_OTHER: 2,
  HEADER_MALFORMED: 1.5,
  RDNS_NONE: 1.5,
  RDNS_UNCONFIRMED: 1,
} as const;
export type AuthenticitySymbol = keyof typeof AUTHENTICITY_WEIGHTS;

const SPF_SYMBOLS: Readonly<Record<SpfCode, AuthenticitySymbol>> = {
  pass: 'SPF_PASS',
  fail: 'SPF_FAIL',
  softfail: 'SPF_SOFTFAIL',
  neutral: 'SPF_NEUTRAL',
  none: 'SPF_NONE',
  temperror: 'SPF_TEMPERROR',
  permerror: 'SPF_PERMERROR',
};

export function symbolsOf(findings: Findings, author: Author, isMalformed: boolean): JudgeSymbol[] {
  const symbols: JudgeSymbol[] = [];
  const add = (name: AuthenticitySymbol, text: string): void => {
    symbols.push({ name, score: AUTHENTICITY_WEIGHTS[name], text });
  };
  const { spf, heloSpf, dkim, dmarc, arc, reverse, ip } = findings;
  if (spf !== null) add(SPF_SYMBOLS[spf.result], `SPF of ${spf.domain}: ${spf.result}${spf.problem === null ? '' : ` (${spf.problem})`}, client ${ip}`);
  if (heloSpf?.result === 'fail') add('SPF_HELO_FAIL', `${heloSpf.domain} does not permit ${ip} to use its name in HELO`);

  let invalid: string | null = null;
  let hasPass = false;
  let isLate = false;
  let weak: string | null = null;
  for (const { result, domain, reason, isTesting, isVerified } of dkim) {
    if (result === 'pass') hasPass = true;
    else if (result === 'temperror') isLate = true;
    else if (isVerified) weak ??= `${domain}: ${reason}`;
    else if (!isTesting) invalid ??= `${domain === '' ? 'unreadable' : domain}: ${reason}`;
  }
  if (hasPass) {
    add('DKIM_VALID', `a DKIM signature of ${dkim.find(({ result }) => result === 'pass')!.domain} is right`);
    if (dmarc.dkimAligned) add('DKIM_VALID_AUTHOR', `the author's domain ${dmarc.domain} signed the message`);
  } else if (weak !== null) add('DKIM_WEAK', `a DKIM signature is right but not accepted: ${weak}`);
  else if (isLate) add('DKIM_TEMPERROR', 'the key of a DKIM signature could not be looked up');
  // Beside a good one a broken signature means nothing: mailing lists leave them behind.
  else if (invalid !== null) add('DKIM_INVALID', `a DKIM signature is not right: ${invalid}`);

  if (author.kind === 'none') add('FROM_MISSING', 'the message has no From field');
  else if (author.kind === 'several')
    add('FROM_SEVERAL', author.hasSeveralFields ? 'the message has several From fields' : `From names several authors: ${author.domains.join(', ')}`);
  else if (author.kind === 'unparsable') add('FROM_INVALID', 'the From field cannot be read without doubt');
  if (author.nameDomain !== null) add('FROM_NAME_OTHER', `the name in From shows an address at ${author.nameDomain}, the message is from ${author.domains[0]}`);
  if (isMalformed) add('HEADER_MALFORMED', 'the header has lines that are no field, NUL or bare CR');

  switch (dmarc.result) {
    case 'pass':
      add('DMARC_PASS', `DMARC of ${dmarc.domain}: pass by ${[dmarc.spfAligned ? 'SPF' : '', dmarc.dkimAligned ? 'DKIM' : ''].filter(Boolean).join(' and ')}`);
      break;
    case 'none':
      if (dmarc.domain !== null) add('DMARC_NONE', `${dmarc.domain} has no DMARC policy`);
      break;
    case 'temperror':
      add('DMARC_TEMPERROR', `the DMARC policy of ${dmarc.domain} could not be looked up: ${dmarc.reason}`);
      break;
    default: {
      const about = `DMARC of ${dmarc.domain ?? 'nobody'}: ${dmarc.result}, policy ${dmarc.policy ?? 'none'}`;
      const remark = dmarc.override !== null ? ` (${dmarc.override.comment})` : dmarc.reason === null ? '' : ` (${dmarc.reason})`;
      if (dmarc.disposition === 'reject') add('DMARC_REJECT', about + remark);
      else if (dmarc.disposition === 'quarantine') add('DMARC_QUARANTINE', about + remark);
      else if (dmarc.override?.type === 'trusted_forwarder') add('ARC_TRUSTED', `passed DMARC before a trusted forwarder: ${dmarc.override.comment}`);
      else if (dmarc.override !== null) add('DMARC_OVERRIDDEN', about + remark);
      else if (dmarc.result === 'fail') add('DMARC_FAIL', about + remark);
      else if (author.kind === 'one') add('DMARC_PERMERROR', about + remark);
    }
  }
  if (arc.result === 'pass') add('ARC_VALID', `the ARC chain of ${arc.sets.length} holds, last sealed by ${arc.sealer}`);
  else if (arc.result === 'fail') add('ARC_INVALID', `the ARC chain is broken: ${arc.reason}`);
  if (reverse !== null && reverse.name === null) add('RDNS_NONE', `${ip} has no name in DNS`);
  else if (reverse !== null && !reverse.isConfirmed) add('RDNS_UNCONFIRMED', `${ip} is called ${reverse.name}, which does not lead back to it`);
  return symbols;
}
