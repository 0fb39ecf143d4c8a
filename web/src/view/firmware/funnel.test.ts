import { expect, test } from 'vitest';
import { bands, countsOf } from './funnel';

test('each device is in one band, and those that nobody has heard of wait', () => {
  const states = { offered: 2, downloading: 3, testing: 1, succeeded: 40, lost: 1, rolled_back: 2, rejected: 1, deferred: 4 };
  const counts = countsOf({ states, failed: 3, hardware: [], reasons: [], contacted: 0, reported: 0 }, 100, false);
  expect(counts).toEqual({ waiting: 50, offered: 2, loading: 3, starting: 1, succeeded: 40, failed: 3, other: 1 });
  expect(bands.reduce((n, b) => n + counts[b], 0)).toBe(100);
});

test('once the rollout is over, nobody waits', () => {
  const counts = countsOf({ states: { succeeded: 7 }, failed: 0, hardware: [], reasons: [], contacted: 0, reported: 0 }, 9, true);
  expect(counts).toMatchObject({ succeeded: 7, other: 2, waiting: 0 });
});

test('devices that came later than they were counted are no fewer than none', () => {
  const counts = countsOf({ states: { succeeded: 7 }, failed: 0, hardware: [], reasons: [], contacted: 0, reported: 0 }, 5, false);
  expect(counts.waiting).toBe(0);
});
