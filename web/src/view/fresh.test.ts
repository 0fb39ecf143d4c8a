import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Fresh } from './fresh.svelte';

const page = { visibilityState: 'visible' };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', page);
});

afterEach(() => {
  page.visibilityState = 'visible';
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('what has changed is seen without opening the page again, until one leaves it', async () => {
  let now = 1;
  const fresh = new Fresh(() => Promise.resolve(now));
  const stop = fresh.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(fresh.value).toBe(1);
  now = 2;
  page.visibilityState = 'hidden';
  await vi.advanceTimersByTimeAsync(30_000);
  expect(fresh.value).toBe(1);
  page.visibilityState = 'visible';
  await vi.advanceTimersByTimeAsync(15_000);
  expect(fresh.value).toBe(2);
  now = 3;
  stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(fresh.value).toBe(2);
});

test('a failure is told of until an answer comes, and takes nothing away', async () => {
  let answer: () => Promise<number> = () => Promise.resolve(1);
  const fresh = new Fresh(() => answer());
  await fresh.load();
  answer = () => Promise.reject(new Error());
  await fresh.load();
  expect([fresh.value, fresh.failure]).toEqual([1, expect.stringMatching(/./)]);
  answer = () => Promise.resolve(2);
  await fresh.load();
  expect([fresh.value, fresh.failure]).toEqual([2, '']);
});

test('an earlier question that is answered late changes nothing', async () => {
  const answers: ((n: number) => void)[] = [];
  const fresh = new Fresh(() => new Promise<number>((resolve) => answers.push(resolve)));
  const [early, late] = [fresh.load(), fresh.load()];
  answers[1]!(2);
  await late;
  answers[0]!(1);
  await early;
  expect(fresh.value).toBe(2);
});
