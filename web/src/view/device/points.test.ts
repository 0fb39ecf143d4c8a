import { expect, test } from 'vitest';
import { columnsOf, moved, nearest, withLive, zoomed, type Bucket } from './points';

const one = (t: number, v = t): Bucket => ({ t, v, min: v - 1, max: v + 1, n: 1 });

test('a gap is where readings are missing, and nowhere else', () => {
  const regular = [0, 10_000, 20_000, 30_000].map((t) => one(t));
  expect(columnsOf(regular, 10_000)[1]).toEqual([0, 10_000, 20_000, 30_000]);
  const holed = [...regular, one(100_000), one(110_000)];
  expect(columnsOf(holed, 10_000)).toEqual([
    [0, 10, 20, 30, 65, 100, 110],
    [0, 10_000, 20_000, 30_000, null, 100_000, 110_000],
    [-1, 9_999, 19_999, 29_999, null, 99_999, 109_999],
    [1, 10_001, 20_001, 30_001, null, 100_001, 110_001],
  ]);
  // Of a sensor that speaks every five minutes, raw values are no gaps.
  expect(columnsOf([one(0), one(300_000), one(600_000)], 1_000)[1]).not.toContain(null);
  expect(columnsOf([], 1_000)).toEqual([[], [], [], []]);
});

test('live values come at the end, and old buckets go', () => {
  const some = [one(0), one(10), one(20)];
  expect(withLive(some, 10, 15, 5, 0)).toBe(some);
  expect(withLive(some, 10, 37, 5, 10).map((b) => b.t)).toEqual([10, 20, 30]);
  expect(withLive(some, 10, 30, 5, 25).map((b) => b.t)).toEqual([30]);
  expect(withLive([], 10, 30, 5, 0)).toEqual([{ t: 30, v: 5, min: 5, max: 5, n: 1 }]);
});

test('a live value belongs to the bucket of its time', () => {
  const minutes: Bucket[] = [{ t: 60_000, v: 2, min: 1, max: 3, n: 3 }];
  expect(withLive(minutes, 60_000, 119_999, 6, 0)).toEqual([{ t: 60_000, v: 3, min: 1, max: 6, n: 4 }]);
  const next = withLive(minutes, 60_000, 130_000, 6, 0);
  expect(next).toEqual([...minutes, { t: 120_000, v: 6, min: 6, max: 6, n: 1 }]);
});

test('the nearest bucket is found', () => {
  const some = [one(0), one(10), one(30)];
  expect([-5, 0, 4, 6, 10, 19, 21, 99].map((t) => nearest(some, t))).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
  expect(nearest([], 3)).toBe(-1);
});

test('zooming keeps the moment under the pointer', () => {
  expect(zoomed({ from: 0, to: 100_000 }, 0.5, 25_000)).toEqual({ from: 12_500, to: 62_500 });
  expect(zoomed({ from: 0, to: 100_000 }, 0.0001, 50_000)).toEqual({ from: 45_000, to: 55_000 });
  expect(zoomed({ from: 0, to: 100_000 }, 2, 100_000)).toEqual({ from: -100_000, to: 100_000 });
});

test('moving stops at the present', () => {
  expect(moved({ from: 0, to: 100 }, -0.5, 500)).toEqual({ from: -50, to: 50 });
  expect(moved({ from: 0, to: 100 }, 0.5, 120)).toEqual({ from: 20, to: 120 });
  expect(moved({ from: 0, to: 100 }, 0.5, 100)).toEqual({ from: 0, to: 100 });
});

test('a device that reports more often than before had no gaps before', () => {
  const at = [...Array.from({ length: 20 }, (_, i) => i * 60), ...Array.from({ length: 100 }, (_, i) => 1200 + i * 5)];
  const buckets = [...at, 1900, 1905, 1910].map((s) => ({ t: s * 1000, v: 1, min: 1, max: 1, n: 1 }));
  const [times, values] = columnsOf(buckets, 7500);
  expect(times.filter((_, i) => values[i] === null)).toEqual([(1695 + 1900) / 2]);
});
