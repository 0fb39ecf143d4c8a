import { expect, test } from 'vitest';
import type { Bucket } from './points';
import { sparkOf } from './spark';

const bucket = (t: number, v: number, min = v, max = v): Bucket => ({ t, v, min, max, n: 1 });
const span = { from: 0, to: 100_000 };

test('values are drawn over their span, with room above and below', () => {
  const s = sparkOf([bucket(0, 10), bucket(50_000, 20), bucket(100_000, 15)], 50_000, span);
  expect(s.line).toBe('M0 94L50 6L100 50');
  expect([s.least, s.greatest]).toEqual([10, 20]);
});

test('a gap is a gap, and a value on its own a dot', () => {
  const s = sparkOf([0, 1000, 2000, 60_000].map((t) => bucket(t, t)), 1000, span);
  expect(s.line.match(/M/g)).toHaveLength(1);
  expect(s.dots).toEqual([{ x: 60, y: 6 }]);
});

test('the least and greatest values are a band around the means', () => {
  const s = sparkOf([bucket(0, 10, 5, 15), bucket(100_000, 10, 5, 15)], 100_000, span);
  expect(s.band).toBe('M0 6L100 6L100 94L0 94Z');
});

test('a limit is seen even where no value comes near', () => {
  const s = sparkOf([bucket(0, 10), bucket(100_000, 12)], 100_000, span, [30]);
  expect(s.greatest).toBe(30);
  expect(s.height(30)).toBe(6);
});

test('what is on or off is drawn in steps', () => {
  const s = sparkOf([bucket(0, 0), bucket(50_000, 1)], 50_000, span, [], true);
  expect(s.line).toBe('M0 94L50 94L50 6');
});

test('a value that never changes is drawn in the middle', () => {
  expect(sparkOf([bucket(0, 7), bucket(100_000, 7)], 100_000, span).line).toBe('M0 50L100 50');
});
