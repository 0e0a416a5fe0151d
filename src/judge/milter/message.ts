/** The content of a message as one milter sees it: header fields, end of header, body, end. And what it answers. */
import { bodyOf } from '../../mail/edited-message.ts';
import { scanHeaders } from '../../mail/header.ts';
import type { MessageView } from '../../ports.ts';
import { COMMAND, STEP } from '../../wire/milter/codes.ts';
import { MILTER_LIMITS } from '../../wire/milter/limits.ts';
import { packet, textPacket } from '../../wire/milter/packet.ts';
import { Changes, type ChangesContext } from './changes.ts';
import { CLIENT_LIMITS } from './limits.ts';
import { CONTINUE, type Decision, type Link, STEPS } from './link.ts';

export interface Answer {
  readonly decision: Decision;
  /** Null unless the milter came to its end in order and lets the message pass. The caller releases them. */
  readonly changes: Changes | null;
}

const NO_BYTES = Buffer.alloc(0);

/** Shows the message to one milter. */
export async function showMessage(link: Link, view: MessageView, context: ChangesContext, aboveReceived = 0): Promise<Answer> {
  const decision = await showContent(link, view);
  if (decision !== CONTINUE || link.broken !== null) return { decision, changes: null };
  return endOfMessage(link, context, aboveReceived);
}

async function showContent(link: Link, view: MessageView): Promise<Decision> {
  let decision = await showHeader(link, Buffer.from(view.header.buffer, view.header.byteOffset, view.header.length));
  if (decision !== CONTINUE) return decision;
  decision = await link.step(STEPS.endOfHeaders, () => packet(COMMAND.endOfHeaders), link.milter.contentTimeoutMs);
  if (decision !== CONTINUE || link.has(STEP.noBody)) return decision;
  const waits = !link.has(STEP.noReplyBody);
  for await (const piece of bodyOf(view)) {
    for (let at = 0; at < piece.length; at += MILTER_LIMITS.chunkBytes) {
      const chunk = packet(COMMAND.body, piece.subarray(at, at + MILTER_LIMITS.chunkBytes));
      if (waits) {
        decision = await link.ask(chunk, link.milter.contentTimeoutMs);
        // Enough seen: the rest of the body is not sent, its end is.
        if (decision.kind === 'skip') return CONTINUE;
        if (decision !== CONTINUE) return decision;
      } else {
        const wait = link.say(chunk, link.milter.contentTimeoutMs);
        if (wait !== undefined) await wait;
      }
      if (link.broken !== null) return link.broken;
    }
  }
  return CONTINUE;
}

async function showHeader(link: Link, header: Buffer): Promise<Decision> {
  if (link.has(STEP.noHeaders)) return CONTINUE;
  const hasLeadingSpace = link.has(STEP.leadingSpace);
  const waits = !link.has(STEP.noReplyHeader);
  const timeoutMs = link.milter.contentTimeoutMs;
  let batch: Buffer[] = [];
  let batchBytes = 0;
  const flush = async (): Promise<void> => {
    const wait = link.say(Buffer.concat(batch), timeoutMs);
    batch = [];
    batchBytes = 0;
    if (wait !== undefined) await wait;
  };
  for (const field of scanHeaders(header).fields) {
    // A line that is no header field cannot be shown as one.
    if (field.nameEnd === field.nameStart) continue;
    const name = header.toString('latin1', field.nameStart, field.nameEnd);
    const bytes = textPacket(COMMAND.header, [name, shownValue(header.toString('latin1', field.valueStart, field.valueEnd), hasLeadingSpace)]);
    if (waits) {
      const decision = await link.ask(bytes, timeoutMs);
      if (decision !== CONTINUE) return decision;
      continue;
    }
    batch.push(bytes);
    batchBytes += bytes.length;
    if (batchBytes >= CLIENT_LIMITS.batchBytes) await flush();
  }
  if (batch.length > 0) await flush();
  return link.broken ?? CONTINUE;
}

/** Folds are line feeds for a milter; white space at the start only when it asked for it. */
function shownValue(raw: string, hasLeadingSpace: boolean): string {
  const value = raw.includes('\r') ? raw.replaceAll('\r\n', '\n') : raw;
  return hasLeadingSpace ? value : value.replace(/^[ \t\r\n]+/, '');
}

async function endOfMessage(link: Link, context: ChangesContext, aboveReceived: number): Promise<Answer> {
  const timeoutMs = link.milter.contentTimeoutMs;
  const wait = link.say(link.withMacros(STEPS.endOfMessage.stage, packet(COMMAND.endOfMessage, NO_BYTES)), timeoutMs);
  if (wait !== undefined) await wait;
  const changes = new Changes(context, link.has(STEP.leadingSpace), aboveReceived);
  for (;;) {
    const answer = await link.answer(timeoutMs);
    if (answer.kind === 'trouble') return given(link.breakOff(answer), changes);
    switch (answer.kind) {
      case 'addHeader':
      case 'insertHeader':
      case 'changeHeader':
      case 'replaceBody':
      case 'changeSender':
      case 'addRecipient':
      case 'deleteRecipient':
      case 'quarantine': {
        const taken = changes.add(answer);
        const problem = taken instanceof Promise ? await taken : taken;
        if (problem === null) break;
        return given(link.protest(problem), changes);
      }
      case 'continue':
      case 'accept':
        return { decision: CONTINUE, changes };
      default:
        return given(link.decide(answer), changes);
    }
  }
}

/** A decision that leaves nothing of the changes. */
function given(decision: Decision, changes: Changes): Answer {
  changes.release();
  return { decision: decision.kind === 'skip' ? CONTINUE : decision, changes: null };
}
