/**
 * Metrics: a thread counts in a plain map (no locks, no promises), main adds the threads up and renders them for Prometheus.
 * A name that is not in METRICS is shown all the same, as a counter or gauge without help.
 */
import type { Metrics } from '../ports.ts';
import { METRICS, type MetricDeclaration } from './metrics.list.ts';

/** Different labels of one metric: a peer must not be able to fill memory with names. */
export const LABELS_MAX = 200;

/** What a thread sends: [name, label or '', value]; counters count from the thread's start. */
export interface MetricsSnapshot {
  readonly counters: readonly (readonly [name: string, label: string, value: number])[];
  readonly gauges: readonly (readonly [name: string, label: string, value: number])[];
}

/** The metrics of one thread. */
export class ThreadMetrics implements Metrics {
  readonly counters = new Map<string, Map<string, number>>();
  readonly gauges = new Map<string, Map<string, number>>();

  count(name: string, by = 1, label = ''): void {
    const labels = labelsOf(this.counters, name);
    const old = labels.get(label);
    if (old !== undefined) labels.set(label, old + by);
    else if (labels.size < LABELS_MAX) labels.set(label, by);
    else labels.set('other', (labels.get('other') ?? 0) + by);
  }

  gauge(name: string, value: number, label = ''): void {
    const labels = labelsOf(this.gauges, name);
    if (labels.size < LABELS_MAX || labels.has(label)) labels.set(label, value);
  }

  snapshot(): MetricsSnapshot {
    return { counters: rows(this.counters), gauges: rows(this.gauges) };
  }
}

function labelsOf(metrics: Map<string, Map<string, number>>, name: string): Map<string, number> {
  let labels = metrics.get(name);
  if (labels === undefined) metrics.set(name, (labels = new Map()));
  return labels;
}
function rows(metrics: ReadonlyMap<string, ReadonlyMap<string, number>>): [string, string, number][] {
  return [...metrics].flatMap(([name, labels]) => [...labels].map(([label, value]): [string, string, number] => [name, label, value]));
}

/** Main's view: the latest snapshot of each thread, and the counts of threads that have ended (a counter must not step back). */
export class MetricsBoard {
  private readonly threads = new Map<string, MetricsSnapshot>();
  private readonly ended = new Map<string, Map<string, number>>();

  /** `thread` is any name that belongs to one life of one thread. */
  update(thread: string, snapshot: MetricsSnapshot): void {
    this.threads.set(thread, snapshot);
  }

  retire(thread: string): void {
    const last = this.threads.get(thread);
    if (last === undefined) return;
    this.threads.delete(thread);
    for (const [name, label, value] of last.counters) add(this.ended, name, label, value);
  }

  /** Sums over threads (for gauges that say so, the highest). */
  totals(): { counters: Map<string, Map<string, number>>; gauges: Map<string, Map<string, number>> } {
    const counters = new Map([...this.ended].map(([name, labels]) => [name, new Map(labels)]));
    const gauges = new Map<string, Map<string, number>>();
    for (const snapshot of this.threads.values()) {
      for (const [name, label, value] of snapshot.counters) add(counters, name, label, value);
      for (const [name, label, value] of snapshot.gauges) {
        if (METRICS.get(name)?.merge === 'max') {
          const labels = labelsOf(gauges, name);
          labels.set(label, Math.max(value, labels.get(label) ?? value));
        } else add(gauges, name, label, value);
      }
    }
    return { counters, gauges };
  }

  /** Prometheus text. prom-client is loaded at the first scrape: most servers are never asked. */
  async render(): Promise<string> {
    const { Registry, Counter, Gauge, collectDefaultMetrics } = (await import('prom-client')).default;
    const register = new Registry();
    collectDefaultMetrics({ register, prefix: 'posthorn_main_' });
    const { counters, gauges } = this.totals();
    for (const [name, declared] of METRICS) {
      const empty = declared.type === 'counter' ? counters : gauges;
      if (!empty.has(name) && declared.label === undefined) empty.set(name, new Map([['', 0]])); // a graph should begin at zero
    }
    for (const [name, labels] of counters) {
      const counter = new Counter({ ...shape(name, 'counter'), registers: [register] });
      for (const [label, value] of labels) counter.inc(labelValues(name, label), value);
    }
    for (const [name, labels] of gauges) {
      const gauge = new Gauge({ ...shape(name, 'gauge'), registers: [register] });
      for (const [label, value] of labels) gauge.set(labelValues(name, label), value);
    }
    return register.metrics();
  }
}

function add(metrics: Map<string, Map<string, number>>, name: string, label: string, value: number): void {
  const labels = labelsOf(metrics, name);
  labels.set(label, (labels.get(label) ?? 0) + value);
}

/** 'smtp.rcpt.refused' is posthorn_smtp_rcpt_refused_total. */
export function prometheusName(name: string, type: 'counter' | 'gauge'): string {
  const base = `posthorn_${name
    .replaceAll(/[^A-Za-z0-9]+/g, '_')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()}`;
  return type === 'counter' && !base.endsWith('_total') ? `${base}_total` : base;
}
function shape(name: string, type: 'counter' | 'gauge'): { name: string; help: string; labelNames: string[] } {
  const declared: MetricDeclaration | undefined = METRICS.get(name);
  return { name: prometheusName(name, type), help: declared?.help ?? name, labelNames: [declared?.label ?? 'label'] };
}
const labelValues = (name: string, label: string): Record<string, string> => (label === '' ? {} : { [METRICS.get(name)?.label ?? 'label']: label });
