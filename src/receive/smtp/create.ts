/** The way in: a session factory for one kind of listener. */
import { type IdleSweeper, idle } from '../../net/idle.ts';
import type { LoopContext, SessionFactory } from '../../ports.ts';
import type { ReceiveSettings } from '../settings.ts';
import type { Mode, Service } from './service.ts';
import { SmtpSession } from './session.ts';
import { COMMANDS } from './table.ts';

/** 'submission' is for both ports, 587 and 465: whether TLS is implicit, the listener knows. Call once a thread and kind. */
export function createSmtpSession(context: LoopContext<ReceiveSettings>, mode: Mode, sweeper: IdleSweeper = idle): SessionFactory {
  const service: Service = { context, mode, commands: COMMANDS, idle: sweeper };
  return (connection) => new SmtpSession(service, connection);
}
