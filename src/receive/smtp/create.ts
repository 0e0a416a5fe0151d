/** The way in: a session factory for one kind of listener. */
import { type IdleSweeper, idle } from '../../net/idle.ts';
import type { LoopContext, SessionFactory } from '../../ports.ts';
import type { ReceiveSettings } from '../settings.ts';
import { SubmissionRates } from '../submission/rates.ts';
import type { Mode, Service } from './service.ts';
import { SmtpSession } from './session.ts';
import { COMMANDS } from './table.ts';

/** 'submission' is for both ports, 587 and 465: whether TLS is implicit, the listener knows. Call once a thread and kind. */
export function createSmtpSession(context: LoopContext<ReceiveSettings>, mode: Mode, sweeper: IdleSweeper = idle): SessionFactory {
  const service: Service = { context, mode, commands: COMMANDS, idle: sweeper, rates: ratesOf(context) };
  return (connection) => new SmtpSession(service, connection);
}

/** One count for all of a thread's listeners: an account is the same on port 587 and 465. */
const rates = new WeakMap<object, SubmissionRates>();
function ratesOf(context: object): SubmissionRates {
  let known = rates.get(context);
  if (known === undefined) rates.set(context, (known = new SubmissionRates()));
  return known;
}
