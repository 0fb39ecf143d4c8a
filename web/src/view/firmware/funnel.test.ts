import { expect, test } from 'vitest';
import type { Funnel, Rollout } from '../firmwareport';
import { bands, countsOf, fitsNone } from './funnel';

const funnelOf = (states: Record<string, number>, failed = 0): Funnel => ({
  states,
  failed,
  hardware: [],
  reasons: [],
  contacted: 0,
  reported: 0,
});

test('each device is in one band, and those that nobody has heard of wait', () => {
  const running = { offered: 2, downloading: 3, testing: 1, deferred: 4 };
  const ended = { succeeded: 40, lost: 1, rolled_back: 2, rejected: 1 };
  const counts = countsOf(funnelOf({ ...running, ...ended }, 3), 100, false);
  expect(counts).toEqual({ waiting: 50, offered: 2, loading: 3, starting: 1, succeeded: 40, failed: 3, other: 1 });
  expect(bands.reduce((n, b) => n + counts[b], 0)).toBe(100);
});

test('once the rollout is over, nobody waits', () => {
  const counts = countsOf(funnelOf({ succeeded: 7 }), 9, true);
  expect(counts).toMatchObject({ succeeded: 7, other: 2, waiting: 0 });
});

test('devices that came later than they were counted are no fewer than none', () => {
  const counts = countsOf(funnelOf({ succeeded: 7 }), 5, false);
  expect(counts.waiting).toBe(0);
});

test('a rollout that has begun fits no device as long as none was counted or has come', () => {
  const of = (state: string, devices: number, states = {}) =>
    fitsNone({ state, devices, counts: { states } } as unknown as Rollout);
  expect(of('running', 0)).toBe(true);
  expect(of('completed', 0)).toBe(true);
  expect(of('scheduled', 0)).toBe(false);
  expect(of('running', 2)).toBe(false);
  expect(of('running', 0, { offered: 1 })).toBe(false);
});
