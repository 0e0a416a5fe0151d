/** Options back into words: as TOML for the terminal, as a reference page for docs/configuration.md. */
import type { Setting, Settings, SettingsOf } from '../declare.ts';

/** Options by table, '' first, each list in declared order. */
function byTable(settings: Settings): Map<string, [leaf: string, key: string, setting: Setting<unknown>][]> {
  const tables = new Map<string, [string, string, Setting<unknown>][]>([['', []]]);
  for (const [key, setting] of Object.entries(settings)) {
    const dot = key.lastIndexOf('.');
    const table = key.slice(0, Math.max(0, dot));
    const rows = tables.get(table) ?? [];
    rows.push([key.slice(dot + 1), key, setting]);
    tables.set(table, rows);
  }
  return tables;
}

/** TOML that reads back to the same values. `only: 'changed'` leaves out what equals its default. */
export function showConfig<S extends Settings>(settings: S, values: SettingsOf<S>, only: 'all' | 'changed' = 'all'): string {
  const blocks: string[] = [];
  for (const [table, rows] of byTable(settings)) {
    const lines: string[] = [];
    for (const [leaf, key, setting] of rows) {
      const shown = setting.show((values as Record<string, unknown>)[key]);
      const isDefault = shown === setting.show(setting.default);
      if (only === 'changed' && isDefault) continue;
      lines.push(`${leaf} = ${shown}${only === 'all' && !isDefault ? `  # default: ${setting.show(setting.default)}` : ''}`);
    }
    if (lines.length > 0) blocks.push([...(table === '' ? [] : [`[${table}]`]), ...lines].join('\n'));
  }
  return blocks.join('\n\n') + (blocks.length > 0 ? '\n' : '');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** The reference page, in Markdown. Made only of the declarations, so that it cannot say anything else than the program does. */
export function configReference(settings: Settings): string {
  const page = [
    '# Configuration',
    '',
    'This page is generated from the program (`posthorn config docs`); change the declarations, not the page.',
    '',
    'Posthorn reads one TOML file: the one given with `--config`, else the one in `$POSTHORN_CONFIG`, else `posthorn.toml` in the',
    'working directory, else `/etc/posthorn/posthorn.toml`. A server needs two lines; everything else has a default:',
    '',
    '```toml',
    'hostname = "mail.example.org"',
    'domain = "example.org"',
    '```',
    '',
    'Sizes are written `"50MiB"`, time spans `"30s"`, `"5m"`, `"4h"` or `"5d"`, lists `["one", "two"]`. Relative paths count from the folder',
    'of the file. `posthorn config check` reports every mistake with its line and column; `posthorn config show` prints the values in force.',
    'A changed option takes effect at `posthorn reload`, unless it says *restart*.',
    '',
  ];
  for (const [table, rows] of byTable(settings)) {
    if (rows.length === 0) continue;
    page.push(table === '' ? '## Top of the file' : `## [${table}]`, '');
    page.push('| option | default | what it does |', '| --- | --- | --- |');
    for (const [leaf, , setting] of rows) {
      const notes = [
        setting.doc,
        `*${setting.accepts.charAt(0).toUpperCase()}${setting.accepts.slice(1)}.*`,
        setting.see === undefined ? '' : `Compare: ${setting.see}.`,
        setting.takes === 'restart' ? '*Restart.*' : '',
      ];
      page.push(`| \`${leaf}\` | \`${cell(setting.show(setting.default))}\` | ${cell(notes.filter((note) => note !== '').join(' '))} |`);
    }
    page.push('');
  }
  return page.join('\n');
}
