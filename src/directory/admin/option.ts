/** 'user.option': what one account has otherwise than the server's settings say. */
import type { AdminHandlers } from '../../ports.ts';
import { ACCOUNT_OPTIONS, accountOptions } from '../options.ts';
import { accountInput, refuse } from './input.ts';

export interface OptionRow {
  readonly name: string;
  readonly value: string;
}

function nameInput(value: unknown): string {
  if (typeof value === 'string' && Object.hasOwn(ACCOUNT_OPTIONS, value)) return value;
  return refuse(`"${String(value)}" is no option of a user; there are ${Object.keys(ACCOUNT_OPTIONS).join(', ')}.`);
}

export const optionAdmin: AdminHandlers = {
  /** {login}: those that are set. {login, name, value}: sets one; value null takes it away. Answers what is set then, by name. */
  'user.option': async (context, args): Promise<{ login: string; options: OptionRow[] }> => {
    const { id, login } = accountInput(context, args.login);
    if (args.name !== undefined) {
      const name = nameInput(args.name);
      const value = args.value ?? null;
      if (value !== null) {
        if (typeof value !== 'string') return refuse(`The value of ${name} must be text.`);
        const wrong = ACCOUNT_OPTIONS[name]!.check(value);
        if (wrong !== undefined) return refuse(`"${value}" will not do for ${name}: it ${wrong}.`);
      }
      const { isChanged } = await context.writer.run<{ isChanged: boolean }>('account.option', { id, name, value });
      if (isChanged) context.log.info('user.option', { account: login, option: name, value });
    }
    const options = [...accountOptions(context.reader, id)].map(([name, value]) => ({ name, value }));
    return { login, options: options.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  },
};
