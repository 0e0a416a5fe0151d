/** RFC 5183: environment, with the items of imapsieve (RFC 6785 section 4.4) and of vnd.dovecot.environment. */
import type { Call } from '../call.ts';
import { compileMatch } from '../match.ts';
import type { Extension, Step } from '../registry.ts';
import type { Run } from '../run.ts';

type Item = (run: Run) => string | null;

/** Items by extension; names in lower case. null: the item has no value here. */
const ITEMS: Readonly<Record<string, ReadonlyMap<string, Item>>> = {
  environment: new Map<string, Item>([
    ['domain', (run) => run.input.domain],
    ['host', (run) => run.input.hostname],
    ['location', (run) => (run.cause.kind === 'imap' ? 'MS' : 'MDA')],
    ['name', () => 'Posthorn'],
    ['phase', (run) => (run.cause.kind === 'imap' ? 'post' : 'during')],
    ['remote-host', (run) => run.input.envelope.clientName],
    ['remote-ip', (run) => run.input.envelope.clientIp],
    ['version', () => '1'],
  ]),
  imapsieve: new Map<string, Item>([
    // RFC 6785 sections 4.2 and 4.5: empty texts in a delivery.
    ['imap.user', (run) => (run.cause.kind === 'imap' ? run.input.user : '')],
    ['imap.email', (run) => (run.cause.kind === 'imap' ? run.cause.email : '')],
    ['imap.cause', (run) => (run.cause.kind === 'imap' ? run.cause.cause : null)],
    ['imap.mailbox', (run) => (run.cause.kind === 'imap' ? run.cause.mailbox : null)],
    ['imap.changedflags', (run) => (run.cause.kind === 'imap' ? run.cause.changedFlags.join(' ') : '')],
  ]),
  'vnd.dovecot.environment': new Map<string, Item>([
    ['vnd.dovecot.default-mailbox', () => 'INBOX'],
    ['vnd.dovecot.username', (run) => run.input.user],
  ]),
};

function itemNamed(name: string, isOn: (extension: string) => boolean): Item | null {
  for (const [extension, items] of Object.entries(ITEMS)) {
    const item = isOn(extension) ? items.get(name) : undefined;
    if (item !== undefined) return item;
  }
  return null;
}

/** Section 4: an item that is not known makes the test false, whatever is asked of it. */
function environment(call: Call): Step<boolean> {
  const name = call.needText('name');
  const matches = compileMatch(call, call.needTexts('keys'));
  if (call.has(':list')) call.problem('environment does not take :list');
  const isOn = (extension: string): boolean => call.context.isOn(extension);
  const on = new Set(Object.keys(ITEMS).filter(isOn));
  return {
    now(run) {
      const value = itemNamed(name.value(run).toLowerCase(), (extension) => on.has(extension))?.(run) ?? null;
      return value !== null && matches(run, [value]);
    },
  };
}

/** ${env.…}: items as variables, "_" for "-" (vnd.dovecot.environment, section 4). */
function readEnv(run: Run, name: string): string {
  const written = name.replaceAll('_', '-').toLowerCase();
  return itemNamed(written, (extension) => run.scope.script.required.has(extension))?.(run) ?? '';
}

export const ENVIRONMENT: readonly Extension[] = [
  {
    name: 'environment',
    tests: [
      {
        name: 'environment',
        tagSets: ['match'],
        positional: [
          { name: 'name', type: 'string' },
          { name: 'keys', type: 'strings' },
        ],
        compile: environment,
      },
    ],
  },
  { name: 'vnd.dovecot.environment', implies: ['environment'], namespaces: { env: readEnv } },
  { name: 'imapsieve' },
];
