import { expect, it } from 'vitest';
import { Heights } from './heights';

it('finds lines by place and places by line', () => {
  const h = new Heights(() => 10);
  h.set(['a', 'b', 'c']);
  expect([h.start(0), h.start(1), h.start(3), h.total]).toEqual([0, 10, 30, 30]);
  expect([h.at(-5), h.at(0), h.at(9), h.at(10), h.at(29), h.at(500)]).toEqual([0, 0, 0, 1, 2, 2]);

  expect(h.measure('b', 50)).toBe(true);
  expect(h.measure('b', 50)).toBe(false);
  expect(h.measure('gone', 50)).toBe(false);
  h.rebuild();
  expect([h.start(2), h.total, h.at(59), h.at(60)]).toEqual([60, 70, 1, 2]);
});

it('keeps what was measured when lines come before', () => {
  const h = new Heights(() => 10);
  h.set(['b']);
  h.measure('b', 50);
  h.set(['a', 'b']);
  expect([h.indexOf('b'), h.start(1), h.total]).toEqual([1, 10, 60]);
  h.set([]);
  expect([h.count, h.total, h.at(10), h.indexOf('b')]).toEqual([0, 0, 0, -1]);
});

it('guesses anew once all lines are higher', () => {
  const h = new Heights(() => 10);
  h.set(['a', 'b']);
  h.measure('a', 50);
  h.rebuild();
  h.forget();
  expect([h.start(1), h.total]).toEqual([10, 20]);
});

it('lays out 100,000 lines quickly', () => {
  const h = new Heights(() => 24);
  const start = process.cpuUsage();
  h.set(Array.from({ length: 100_000 }, (_, i) => `k${i}`));
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(500);
  expect(h.at(24 * 70_000)).toBe(70_000);
});
