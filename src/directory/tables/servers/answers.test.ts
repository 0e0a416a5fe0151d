import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TableError } from '../errors.ts';
import { Answers } from './answers.ts';
import { testContext } from './testing.ts';

const soon = (): number => 60_000;

test('an answer is kept for its time, found or not', async () => {
  const context = testContext('t', { 'tables.cacheTtl': 1000 });
  let asked = 0;
  const answers = new Answers(context, soon, async (key) => {
    asked += 1;
    return key === 'a' ? 'A' : null;
  });
  assert.equal(await answers.find('a', undefined), 'A');
  assert.equal(await answers.find('b', undefined), null);
  assert.equal(answers.find('a', undefined), 'A', 'without a promise');
  assert.equal(answers.find('b', undefined), null);
  context.time = 1000;
  assert.ok(answers.find('a', undefined) instanceof Promise);
  assert.equal(asked, 3);
  answers.close();
});

test('a lifetime of zero keeps nothing', async () => {
  const answers = new Answers(testContext('t', { 'tables.cacheTtl': 0 }), soon, async () => 'x');
  assert.equal(await answers.find('a', undefined), 'x');
  assert.ok(answers.find('a', undefined) instanceof Promise);
  answers.close();
});

test('no more answers are kept than allowed; the oldest go', async () => {
  const answers = new Answers(testContext('t', { 'tables.cacheEntries': 2 }), soon, async (key) => key);
  for (const key of ['a', 'b', 'c']) await answers.find(key, undefined);
  assert.equal(answers.find('c', undefined), 'c');
  assert.equal(answers.find('b', undefined), 'b');
  assert.ok(answers.find('a', undefined) instanceof Promise);
  answers.close();
});

test('failures are not kept, and are TableErrors', async () => {
  let asked = 0;
  const answers = new Answers(testContext('t'), soon, () => {
    asked += 1;
    return Promise.reject(new Error('no'));
  });
  for (let i = 0; i < 2; i += 1)
    await assert.rejects(Promise.resolve(answers.find('a', undefined)), (error) => error instanceof TableError && error.message === 't: no');
  assert.equal(asked, 2);
  answers.close();
});

test('those who ask the same at the same time share the question; one who gives up does not end it', async () => {
  let asked = 0;
  let answer = (_: string): void => {};
  const answers = new Answers(testContext('t'), soon, () => {
    asked += 1;
    return new Promise<string>((resolve) => (answer = resolve));
  });
  const impatient = new AbortController();
  const [one, two, three] = [answers.find('a', undefined), answers.find('a', impatient.signal), answers.find('a', AbortSignal.abort())];
  impatient.abort();
  await assert.rejects(Promise.resolve(two), TableError);
  await assert.rejects(Promise.resolve(three), TableError);
  answer('x');
  assert.equal(await one, 'x');
  assert.equal(asked, 1);
  answers.close();
});

test('the deadline and the end of the table abort a question', async () => {
  const hang = (_: string, signal: AbortSignal): Promise<string> => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  await assert.rejects(Promise.resolve(new Answers(testContext('t'), () => 1, hang).find('a', undefined)), /no answer within 1 ms/);
  const answers = new Answers(testContext('t'), soon, hang);
  const asked = Promise.resolve(answers.find('a', undefined));
  answers.close();
  await assert.rejects(asked, /the table was closed/);
});
