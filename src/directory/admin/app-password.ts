/** 'apppassword.add', 'apppassword.list', 'apppassword.remove': one password for each device, revoked alone. Always made by us, shown once. */
import type { AdminHandlers } from '../../ports.ts';
import { scramSecretFor } from '../authenticator.ts';
import { SCOPES, type Scope } from '../credentials.ts';
import { generatePassword } from '../generate.ts';
import { hashGenerated } from '../password.ts';
import { accountInput, refuse, settingsOf } from './input.ts';

export interface AppPasswordRow {
  readonly id: number;
  readonly label: string;
  /** '*' or scopes separated by spaces. */
  readonly scopes: string;
  readonly createdAt: number;
  readonly usedAt: number | null;
  readonly usedFrom: string | null;
}

function scopesInput(value: unknown): string {
  const words = typeof value === 'string' ? value.split(/[ ,]+/) : Array.isArray(value) ? value.map(String) : [];
  const wanted = new Set(words.filter((word) => word !== '').map((word) => word.toLowerCase()));
  if (wanted.size === 0 || wanted.has('*')) return '*';
  for (const word of wanted)
    if (!SCOPES.includes(word as Scope)) return refuse(`"${word}" is no protocol an app password can be for; there are ${SCOPES.join(', ')}.`);
  return SCOPES.filter((scope) => wanted.has(scope)).join(' ');
}

function labelInput(value: unknown): string {
  const label = typeof value === 'string' ? value.trim() : '';
  if (label === '' || label.length > 100 || /[\x00-\x1f\x7f]/.test(label)) return refuse('Please give a label of up to 100 characters, such as "phone".');
  return label;
}

export const appPasswordAdmin: AdminHandlers = {
  /** {login, label, scopes?} */
  'apppassword.add': async (context, args) => {
    const { id: accountId, login } = accountInput(context, args.login);
    const label = labelInput(args.label);
    const scopes = scopesInput(args.scopes);
    const password = generatePassword();
    const scram = await scramSecretFor(context.reader, accountId, 'app', password, settingsOf(context));
    const { id } = await context.writer.run<{ id: number }>('credential.add', { accountId, label, hash: hashGenerated(password), scram, scopes });
    context.log.info('apppassword.added', { account: login, credential: id, scopes });
    return { id, login, label, scopes, password };
  },

  /** {login} */
  'apppassword.list': async (context, args): Promise<AppPasswordRow[]> => {
    const { id } = accountInput(context, args.login);
    return context.reader
      .rows("SELECT id, label, scopes, created_at, used_at, used_from FROM credential WHERE account_id=? AND kind='app' ORDER BY id", id)
      .map((row) => {
        const [credential, label, scopes, createdAt, usedAt, usedFrom] = row as any[];
        return { id: credential, label, scopes, createdAt, usedAt, usedFrom };
      });
  },

  /** {login, label} or {login, id} */
  'apppassword.remove': async (context, args) => {
    const { id: accountId, login } = accountInput(context, args.login);
    const id = typeof args.id === 'number' ? args.id : null;
    const label = id === null ? labelInput(args.label) : null;
    await context.writer.run('credential.remove', { accountId, id, label });
    context.log.info('apppassword.removed', { account: login, credential: id ?? label });
    return { login };
  },
};
