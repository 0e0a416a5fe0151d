/** A message that another mail server asks about (the milter face): who it is from, and the verdict. */
import { formatAddress } from '../mail/address.ts';
import { networksOf } from '../net/networks.ts';
import type { HeaderEdit, JudgeInput, JudgeSymbol, Reply, Verdict } from '../ports.ts';
import type { AllJudgeSettings } from './all-settings.ts';
import type { ThreadJudge } from './judge.ts';
import { spamHeaders, spamReply } from './spam.ts';
import { type Hard, sumUp, weighed } from './verdict.ts';

export async function judgeMessage(judge: ThreadJudge, input: JudgeInput): Promise<Verdict> {
  const { context } = judge;
  const { settings, thresholds, weights } = judge.parts();
  const isStranger = input.auth === null && input.client !== null;
  // Mail that programs on the other server's machine send is no stranger's either.
  if (isStranger && isExempt(input.client!.ip, settings)) return EXEMPT;
  const authenticity = await context.authenticity.verify(input);
  const limits = thresholds.for(input.recipients);
  const symbols: readonly JudgeSymbol[] = weighed(authenticity.symbols, weights);
  const hard: Hard[] =
    authenticity.dmarc.disposition === 'none'
      ? []
      : [{ action: authenticity.dmarc.disposition, by: authenticity.dmarc.disposition === 'reject' ? 'DMARC_REJECT' : 'DMARC_QUARANTINE' }];
  const sum = sumUp(symbols, hard, limits);
  if (authenticity.report !== null) context.collector.add(authenticity.report);
  let { action } = sum;
  let reply: Reply | null = null;
  if (action === 'reject' || action === 'defer') reply = sum.by === 'DMARC_REJECT' ? authenticity.reply : spamReply(sum, symbols, limits);
  else if (isStranger && settings['greylist.mode'] === 'likelySpam' && sum.score >= limits.greylist) {
    const spf = authenticity.spf;
    const answer = context.greylist.check({
      clientIp: input.client!.ip,
      clientName: input.client!.name,
      sender: input.sender,
      recipients: input.recipients,
      spfPass: spf?.result === 'pass' ? spf.domain : null,
      now: context.now(),
    });
    if (answer.kind === 'wait') {
      action = 'greylist';
      ({ reply } = answer);
    } else if (action === 'greylist') action = 'accept';
  }
  const edits: HeaderEdit[] = [...authenticity.edits];
  if (isStranger && settings['judge.spamHeaders']) {
    edits.unshift(...spamHeaders.removals(input.message));
    for (const field of spamHeaders.fields(sum, symbols, limits)) edits.push(asEdit(field));
  }
  context.log.info('judge.asked', {
    id: input.id,
    client: input.client?.ip,
    from: input.sender === null ? '<>' : formatAddress(input.sender),
    action,
    score: sum.score,
    by: sum.by,
  });
  return { action, reply, score: sum.score, symbols, edits };
}

const EXEMPT: Verdict = { action: 'accept', reply: null, score: 0, symbols: [], edits: [] };

function isExempt(ip: string, settings: Pick<AllJudgeSettings, 'judge.exempt' | 'smtp.relayFrom'>): boolean {
  return networksOf(settings['judge.exempt']).has(ip) || networksOf(settings['smtp.relayFrom']).has(ip);
}

function asEdit(field: Buffer): HeaderEdit {
  const text = field.toString('utf8').replace(/\r\n$/, '');
  const colon = text.indexOf(':');
  return { kind: 'prepend', name: text.slice(0, colon), value: text.slice(colon + 1).trimStart() };
}
