import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABELS_MAX, MetricsBoard, prometheusName, ThreadMetrics } from './metrics.ts';
import { METRICS } from './metrics.list.ts';
import { startMetricsServer } from './metrics-server.ts';

test('counts of threads add up, and stay when a thread ends', async () => {
  const board = new MetricsBoard();
  const one = new ThreadMetrics();
  const two = new ThreadMetrics();
  one.count('smtp.accepted');
  one.count('smtp.accepted', 4);
  two.count('smtp.accepted', 2);
  two.count('smtp.refused', 1, 'unknownUser');
  one.gauge('imap.sessions', 3);
  two.gauge('imap.sessions', 5);
  board.update('loop1/1', one.snapshot());
  board.update('loop2/1', two.snapshot());
  board.retire('loop2/1');
  board.update('loop2/2', new ThreadMetrics().snapshot());
  const { counters, gauges } = board.totals();
  assert.equal(counters.get('smtp.accepted')!.get(''), 7);
  assert.equal(counters.get('smtp.refused')!.get('unknownUser'), 1);
  assert.equal(gauges.get('imap.sessions')!.get(''), 3);
  const text = await board.render();
  assert.match(text, /^posthorn_smtp_accepted_total 7$/m);
  assert.match(text, /^posthorn_smtp_refused_total\{label="unknownUser"\} 1$/m);
  assert.match(text, /^posthorn_imap_sessions 3$/m);
  assert.match(text, /^posthorn_main_process_resident_memory_bytes /m);
});

test('a peer that invents labels fills one bucket, not the memory', () => {
  const metrics = new ThreadMetrics();
  for (let i = 0; i < 10_000; i += 1) metrics.count('smtp.refused', 1, `label${i}`);
  const rows = metrics.snapshot().counters;
  assert.equal(rows.length, LABELS_MAX + 1);
  assert.equal(rows.find(([, label]) => label === 'other')![2], 10_000 - LABELS_MAX);
});

test('names become what Prometheus expects, and no two declared ones collide', () => {
  assert.equal(prometheusName('smtp.rcpt.refused', 'counter'), 'posthorn_smtp_rcpt_refused_total');
  assert.equal(prometheusName('store.walBytes', 'gauge'), 'posthorn_store_wal_bytes');
  const names = [...METRICS].map(([name, { type }]) => prometheusName(name, type));
  assert.equal(new Set(names).size, names.length);
});

test('/metrics and /healthz answer over HTTP, a taken port is named', async (t) => {
  let isHealthy = true;
  const server = await startMetricsServer(
    ['127.0.0.1:0'],
    async () => 'text\n',
    () => ({ isHealthy, detail: isHealthy ? 'ready' : 'stopping' }),
  );
  t.after(() => server.close());
  const base = `http://${server.addresses[0]}`;
  assert.equal(await (await fetch(`${base}/metrics`)).text(), 'text\n');
  assert.equal((await fetch(`${base}/healthz`)).status, 200);
  isHealthy = false;
  assert.equal((await fetch(`${base}/healthz`)).status, 503);
  assert.equal((await fetch(`${base}/else`)).status, 404);
  assert.equal((await fetch(`${base}/metrics`, { method: 'POST' })).status, 405);
  await assert.rejects(
    startMetricsServer(
      [server.addresses[0]!],
      async () => '',
      () => ({ isHealthy, detail: '' }),
    ),
    /The metrics address 127\.0\.0\.1:\d+ cannot be used/,
  );
});
