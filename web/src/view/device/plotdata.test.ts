import { expect, test } from 'vitest';
import { alone, dataOf } from './plotdata';
import type { Bucket } from './points';

const line = (...at: number[]) => ({
  step: 10_000,
  buckets: at.map((s): Bucket => ({ t: s * 1000, v: s, min: s, max: s, n: 1 })),
});

test('a gap is as wide as it is, also where another line goes on', () => {
  const [times, values] = dataOf([line(0, 10, 20, 100, 110), line(5, 15, 25, 35, 45, 55, 65, 75, 85, 95, 105)]);
  expect(times.filter((_, i) => values?.[i] === null)).toEqual([25, 35, 45, 55, 60, 65, 75, 85, 95]);
  expect(values?.[1]).toBe(undefined); // between two of its own values, the line goes on
});

test('a value between gaps stands alone, also where another line goes on', () => {
  const [, own, , , others] = dataOf([line(0, 10, 20, 30, 100, 180, 190, 200), line(5, 95, 105)]);
  expect(alone(own ?? []).map((i) => own?.[i])).toEqual([100]);
  expect(alone(others ?? [])).toEqual([]);
  expect(alone([7])).toEqual([0]);
  expect(alone([])).toEqual([]);
});

test('of nothing there is nothing', () => {
  expect(dataOf([line()])[0]).toEqual([]);
});
