/** Options of Sieve. */
import { bytes, count, DAY, duration, flag, list, MiB, MINUTE, SECOND, type SettingsOf, text } from '../../../system/declare.ts';
import { isFieldName } from './field-name.ts';
import { SIEVE_LIMITS, type SieveLimits } from './limits.ts';
import { DEFAULT_EXTENSIONS, EXTENSION_NAMES, PROGRAM_NAMES } from './extension-names.ts';
import type { SieveExtensions } from './registry.ts';

export const SIEVE_SETTINGS = {
  'sieve.extensions': list({
    default: [],
    accepts: 'a list of "+name" and "-name", or of names only',
    doc: 'Sieve extensions: "+name" switches one on beside the default ones, "-name" one off; names without a sign are all there are.',
    see: 'Pigeonhole sieve_extensions',
    check: (entry) => (EXTENSION_NAMES.includes(entry.replace(/^[+-]/, '')) ? undefined : 'there is no such extension'),
  }),
  'sieve.programs': flag({ default: false, doc: 'Let scripts start programs (vnd.dovecot.pipe, filter and execute).', see: 'Pigeonhole sieve_extprograms' }),
  'sieve.programDirectory': text({
    default: '',
    accepts: 'an absolute path, or ""',
    doc: 'Folder with the programs that scripts may start.',
    see: 'Pigeonhole sieve_pipe_bin_dir, sieve_execute_bin_dir, sieve_filter_bin_dir',
    check: (value) => (value === '' || value.startsWith('/') ? undefined : 'must be an absolute path'),
  }),
  'sieve.programNames': list({ default: [], doc: 'Programs that scripts may start; empty for all that are in the folder for programs.' }),
  'sieve.programTimeout': duration({
    default: SIEVE_LIMITS.programMs,
    least: SECOND,
    most: 10 * MINUTE,
    doc: 'How long a program may run.',
    see: 'Pigeonhole sieve_pipe_exec_timeout',
  }),
  'sieve.externalLists': list({ default: [], doc: 'External lists (RFC 6134) that scripts may ask.' }),
  'sieve.detailDelimiters': text({
    default: '+',
    doc: 'Characters one of which separates user and detail of a local part.',
    see: 'RFC 5233; Postfix recipient_delimiter',
  }),
  'sieve.protectedHeaders': list({
    default: [],
    doc: 'Header fields that scripts may not change; Received and Auto-Submitted can never be deleted.',
    see: 'Pigeonhole sieve_editheader_protected',
    check: (entry) => (isFieldName(entry) ? undefined : 'must be the name of a header field'),
  }),
  'sieve.scriptBytesMax': bytes({
    default: SIEVE_LIMITS.scriptBytes,
    least: 1024,
    most: 16 * MiB,
    doc: 'Largest script.',
    see: 'Pigeonhole sieve_max_script_size',
  }),
  'sieve.actionsMax': count({ default: SIEVE_LIMITS.actions, least: 1, most: 1000, doc: 'Actions of one run.', see: 'Pigeonhole sieve_max_actions' }),
  'sieve.redirectsMax': count({ default: SIEVE_LIMITS.redirects, least: 0, most: 100, doc: 'Redirects of one run.', see: 'Pigeonhole sieve_max_redirects' }),
  'sieve.nestingMax': count({ default: SIEVE_LIMITS.nesting, least: 15, most: 200, doc: 'Blocks and tests within each other.', see: 'RFC 5228 section 2.9' }),
  'sieve.variablesMax': count({
    default: SIEVE_LIMITS.variables,
    least: 128,
    most: 10_000,
    doc: 'Variables of one script.',
    see: 'Pigeonhole sieve_variables_max_scope_size',
  }),
  'sieve.variableCharsMax': count({
    default: SIEVE_LIMITS.variableChars,
    least: 4000,
    most: 1024 * 1024,
    doc: 'Characters kept in one variable.',
    see: 'Pigeonhole sieve_variables_max_variable_size',
  }),
  'sieve.stepsMax': count({
    default: SIEVE_LIMITS.steps,
    least: 10_000,
    doc: 'Elementary steps of one run, the bound on its processing time: 20 million are well below a second.',
    see: 'Pigeonhole sieve_max_cpu_time',
  }),
  'sieve.includesMax': count({
    default: SIEVE_LIMITS.includes,
    least: 1,
    most: 10_000,
    doc: 'Scripts included in one run.',
    see: 'Pigeonhole sieve_include_max_includes',
  }),
  'sieve.includeDepthMax': count({
    default: SIEVE_LIMITS.includeDepth,
    least: 1,
    most: 50,
    doc: 'Included scripts within each other.',
    see: 'Pigeonhole sieve_include_max_nesting_depth',
  }),
  'sieve.bodyBytesMax': bytes({ default: SIEVE_LIMITS.bodyBytes, doc: 'How much of a body tests look at.' }),
  'sieve.vacationPeriodLeast': duration({ default: DAY, doc: 'Shortest time between two replies to one sender.', see: 'Pigeonhole sieve_vacation_min_period' }),
  'sieve.vacationPeriodMost': duration({
    default: 60 * DAY,
    doc: 'Longest time between two replies to one sender.',
    see: 'Pigeonhole sieve_vacation_max_period',
  }),
  'sieve.duplicatePeriodMost': duration({ default: 7 * DAY, doc: 'Longest memory of the test duplicate.', see: 'Pigeonhole sieve_duplicate_max_period' }),
};
export type SieveSettings = SettingsOf<typeof SIEVE_SETTINGS>;

export function sieveLimits(settings: SieveSettings): SieveLimits {
  return {
    ...SIEVE_LIMITS,
    scriptBytes: settings['sieve.scriptBytesMax'],
    actions: settings['sieve.actionsMax'],
    redirects: settings['sieve.redirectsMax'],
    nesting: settings['sieve.nestingMax'],
    variables: settings['sieve.variablesMax'],
    variableChars: settings['sieve.variableCharsMax'],
    steps: settings['sieve.stepsMax'],
    includes: settings['sieve.includesMax'],
    includeDepth: settings['sieve.includeDepthMax'],
    bodyBytes: settings['sieve.bodyBytesMax'],
    programMs: settings['sieve.programTimeout'],
    vacationSecondsLeast: Math.ceil(settings['sieve.vacationPeriodLeast'] / SECOND),
    vacationSecondsMost: Math.ceil(settings['sieve.vacationPeriodMost'] / SECOND),
    duplicateSecondsMost: Math.ceil(settings['sieve.duplicatePeriodMost'] / SECOND),
  };
}

/** One object for each reading of the settings: compiled includes are kept by it. */
export function sieveExtensions(settings: SieveSettings): SieveExtensions {
  const entries = settings['sieve.extensions'];
  const names = new Set(entries.some((entry) => !/^[+-]/.test(entry)) ? [] : DEFAULT_EXTENSIONS);
  for (const entry of entries) {
    if (entry.startsWith('-')) names.delete(entry.slice(1));
    else names.add(entry.replace(/^\+/, ''));
  }
  for (const name of PROGRAM_NAMES) {
    if (!settings['sieve.programs']) names.delete(name);
    else if (!entries.includes(`-${name}`)) names.add(name);
  }
  if (settings['sieve.externalLists'].length > 0 && !entries.includes('-extlists')) names.add('extlists');
  const programs = settings['sieve.programNames'];
  return {
    names,
    programs: programs.length === 0 ? null : new Set(programs),
    lists: new Set(settings['sieve.externalLists']),
    detailDelimiters: settings['sieve.detailDelimiters'],
    protectedHeaders: new Set(settings['sieve.protectedHeaders'].map((name) => name.toLowerCase())),
    notifyMethods: ['mailto'],
  };
}
