/** The reference page of all commands, read from commander's own declarations. Pure. */
import type { Command } from 'commander';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** Markdown for docs/commands.md. */
export function commandsReference(program: Command): string {
  const page = [
    '# Commands',
    '',
    'This page is generated from the program (`posthorn config docs --commands`); change the declarations, not the page.',
    '',
    'Every command takes `--config FILE` before its name. Commands that change or show accounts, the queue or messages work with the server',
    'running (through its control socket) and with the server stopped (on the data folder itself).',
    '',
  ];
  for (const command of program.commands) section(page, command, [], 2);
  return `${page.join('\n').trimEnd()}\n`;
}

function section(page: string[], command: Command, parents: readonly string[], level: number): void {
  const path = [...parents, command.name()];
  page.push(`${'#'.repeat(level)} posthorn ${path.join(' ')}`, '', command.description() || command.summary(), '');
  if (command.commands.length > 0) {
    for (const inner of command.commands) section(page, inner, path, level + 1);
    return;
  }
  const words = ['posthorn', ...path, ...(command.options.length > 0 ? ['[options]'] : []), ...command.registeredArguments.map(argument)];
  page.push('```', words.join(' '), '```', '');
  const rows: string[] = [];
  for (const a of command.registeredArguments) if (a.description !== '') rows.push(`| \`${argument(a)}\` | ${cell(a.description)} |`);
  for (const option of command.options) {
    if (option.hidden) continue;
    const initial = option.defaultValue === undefined || option.defaultValue === false ? '' : ` (default: ${JSON.stringify(option.defaultValue)})`;
    rows.push(`| \`${cell(option.flags)}\` | ${cell(option.description)}${cell(initial)} |`);
  }
  if (rows.length > 0) page.push('| argument or option | meaning |', '| --- | --- |', ...rows, '');
}

function argument(a: { name(): string; required: boolean; variadic: boolean }): string {
  const text = a.variadic ? `${a.name()}...` : a.name();
  return a.required ? `<${text}>` : `[${text}]`;
}
