import { expect, test } from 'vitest';
import { allowed, keepText, keptOf } from './keep';

const rules = (days: number, min_days = 0, max_days = 0) => ({ default: { days }, min_days, max_days });

test('what counts for a room', () => {
  expect(keptOf(undefined, rules(30)).days).toBe(30);
  expect(keptOf({ days: 7 }, rules(30)).days).toBe(7);
  expect(keptOf({}, rules(30)).days ?? 0).toBe(0);
  expect(keptOf({}, rules(30, 0, 90)).days).toBe(90);
  expect(keptOf({ days: 1 }, rules(0, 10)).days).toBe(10);
});

test('what a room may choose', () => {
  expect([0, 1, 30, 365].filter((d) => allowed(d, rules(0)))).toEqual([0, 1, 30, 365]);
  expect([0, 1, 30, 365].filter((d) => allowed(d, rules(0, 7, 90)))).toEqual([30]);
});

test('words', () => {
  expect(keepText({ days: 30 })).toContain('30');
  expect(keepText({ days: 30, lines: 1000 })).toMatch(/30.*1.?000/);
});
