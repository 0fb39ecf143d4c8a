import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Batch } from './batch';

let taken: number[][];
let batch: Batch<number>;

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'performance', 'requestAnimationFrame', 'cancelAnimationFrame'],
  });
  vi.stubGlobal('requestAnimationFrame', (fn: () => void) => setTimeout(fn, 16));
  vi.stubGlobal('cancelAnimationFrame', (id: number) => clearTimeout(id));
  taken = [];
  batch = new Batch((all) => taken.push([...all]));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('what comes alone is taken at the next frame', () => {
  batch.add(1);
  expect(taken).toEqual([]);
  vi.advanceTimersByTime(16);
  expect(taken).toEqual([[1]]);
});

test('fifty a second are taken ten times a second at most, all of them and in their order', () => {
  for (let i = 0; i < 50; i++) {
    batch.add(i);
    vi.advanceTimersByTime(20);
  }
  vi.advanceTimersByTime(200);
  expect(taken.flat()).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(taken.length).toBeLessThanOrEqual(11);
});

test('an answer is not waited for by what came before it', () => {
  batch.add(1);
  batch.add(2);
  batch.flush();
  expect(taken).toEqual([[1, 2]]);
  vi.advanceTimersByTime(1000);
  expect(taken).toEqual([[1, 2]]);
});

test('a page without frames takes what comes all the same', () => {
  vi.stubGlobal('requestAnimationFrame', () => 0);
  batch.add(1);
  vi.advanceTimersByTime(250);
  expect(taken).toEqual([[1]]);
});

test('what was stopped is not taken', () => {
  batch.add(1);
  batch.stop();
  vi.advanceTimersByTime(1000);
  expect(taken).toEqual([]);
});
