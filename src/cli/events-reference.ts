/** The reference of log events and metrics: what the source calls, with the sentences of system/events.ts and metrics.list.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENTS } from '../system/events.ts';
import { METRICS } from '../system/metrics.list.ts';
import { prometheusName } from '../system/metrics.ts';

export interface FoundEvent {
  readonly name: string;
  readonly levels: ReadonlySet<string>;
  readonly fields: ReadonlySet<string>;
}

const LOG_CALL = /\blog\??\.(debug|info|warn|error)\(\s*'([\w.]+)'(?:,\s*\{([^}]*)\})?/g;
const METRIC_CALL = /\bmetrics\??\.(?:count|gauge)\(\s*'([\w.]+)'/g;

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) yield* sources(join(folder, entry.name));
    else if (entry.name.endsWith('.ts') && !/\btest(ing)?\b/.test(entry.name)) yield readFileSync(join(folder, entry.name), 'utf8');
  }
}

/** Log events with a literal name, and metric names, as called below `folder` (src/). For the source tree only. */
export function findCalls(folder: string): { events: Map<string, FoundEvent>; metrics: Set<string> } {
  const events = new Map<string, { name: string; levels: Set<string>; fields: Set<string> }>();
  const metrics = new Set<string>();
  for (const text of sources(folder)) {
    for (const [, level, name, fields] of text.matchAll(LOG_CALL)) {
      const event = events.get(name!) ?? { name: name!, levels: new Set(), fields: new Set() };
      event.levels.add(level!);
      for (const field of (fields ?? '').split(',')) {
        const key = /^\s*(\w+)\s*(?::|$)/.exec(field)?.[1];
        if (key !== undefined) event.fields.add(key);
      }
      events.set(name!, event);
    }
    for (const [, name] of text.matchAll(METRIC_CALL)) metrics.add(name!);
  }
  return { events, metrics };
}

/** Markdown for docs/log-events.md. */
export function eventsReference(folder: string): string {
  const { events } = findCalls(folder);
  const page = [
    '# Log events',
    '',
    'This page is generated from the source (`node bin/run.mjs docs`).',
    '',
    'One line an event. As JSON: `level`, `time` (UTC), `thread`, the fields, and `event`, whose names are stable. On a terminal, or with',
    '`log.format = "text"`: `12:03:04 smtp.rcpt.refused rcpt=… code=550`. `session` is one connection, `id` one message; `posthorn trace ID` shows',
    'its path. Passwords and message text are never logged.',
    '',
    '| event | level | fields | meaning |',
    '| --- | --- | --- | --- |',
  ];
  for (const name of [...new Set([...events.keys(), ...EVENTS.keys()])].sort()) {
    const event = events.get(name);
    const fields = [...(event?.fields ?? [])].sort().map((field) => `\`${field}\``);
    page.push(`| \`${name}\` | ${[...(event?.levels ?? [])].sort().join(', ')} | ${fields.join(', ')} | ${EVENTS.get(name) ?? ''} |`);
  }
  return `${page.join('\n')}\n`;
}

/** Markdown for docs/metrics.md. */
export function metricsReference(): string {
  const page = [
    '# Metrics',
    '',
    'This page is generated from the source (`node bin/run.mjs docs`).',
    '',
    'With `listen.metrics` set, `/metrics` answers in the text format of Prometheus and `/healthz` with 200 or 503. Besides these there are the usual',
    'ones of the process, with the prefix `posthorn_main_`.',
    '',
    '| metric | type | label | meaning |',
    '| --- | --- | --- | --- |',
  ];
  for (const [name, { type, label, help }] of METRICS)
    page.push(`| \`${prometheusName(name, type)}\` | ${type} | ${label === undefined ? '' : `\`${label}\``} | ${help} |`);
  return `${page.join('\n')}\n`;
}
