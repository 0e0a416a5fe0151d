/** The reference of IMAP's extensions: the rows that make the capability line, as a page. */
import type { Capability } from '../access/imap/capability.ts';
import { CAPABILITY_ROWS } from '../access/imap/capability-rows.ts';

function state(row: Capability): string {
  const when =
    row.when === 'always'
      ? 'announced always'
      : row.when === 'beforeLogin'
        ? 'announced before login'
        : row.when === 'afterLogin'
          ? 'announced after login'
          : 'not announced';
  if (row.option !== undefined) return `${row.when === 'never' ? '' : `${when}, `}when \`${row.option}\` is set`;
  return row.if === undefined ? when : `${when}, where it can be used`;
}

/** Markdown for docs/imap-extensions.md. */
export function extensionsReference(): string {
  const page = [
    '# IMAP extensions',
    '',
    'This page is generated from the table that also makes the capability line (`node bin/run.mjs docs`).',
    '',
    'Every row names the test that proves it. `imap.capabilitiesHidden` hides capabilities from all clients, and',
    "`posthorn user option LOGIN imap.hide 'NAME NAME'` from those of one account: what is hidden is not announced and cannot be enabled.",
    '',
    '| capability | defined in | what it gives | state | proof |',
    '| --- | --- | --- | --- | --- |',
  ];
  for (const row of CAPABILITY_ROWS)
    page.push(`| ${row.name} | ${row.rfc} | ${row.what}${row.isEnabled === true ? ' (by ENABLE)' : ''} | ${state(row)} | \`${row.proof}\` |`);
  return `${page.join('\n')}\n`;
}
