import { expect, test, vi } from 'vitest';
import { fieldOf } from '../when';
import { daysOf, offers } from './times';

const shown = (now: Date, soon = false) => offers(now, soon).map((o) => `${o.text.slice(6)} ${fieldOf(o.at)}`);

test('what is offered is still to come, by the clock of the device', () => {
  expect(shown(new Date(2026, 10, 25, 17, 59))).toEqual([
    'evening 2026-11-25T19:00',
    'tomorrow 2026-11-26T09:00',
    'monday 2026-11-30T09:00',
  ]);
  expect(shown(new Date(2026, 10, 30, 18, 0))).toEqual(['tomorrow 2026-12-01T09:00', 'monday 2026-12-07T09:00']);
  expect(shown(new Date(2026, 10, 29, 20, 0))).toEqual(['tomorrow 2026-11-30T09:00']); // which is Monday
  expect(shown(new Date(2026, 11, 31, 23, 50), true)[0]).toBe('soon 2027-01-01T00:10');
});

test('nine o’clock is nine o’clock on the days when clocks are changed', () => {
  vi.stubEnv('TZ', 'Europe/Berlin');
  expect(new Date(2026, 2, 28).getTimezoneOffset()).not.toBe(new Date(2026, 2, 30).getTimezoneOffset());
  for (const [month, day] of [[2, 28], [9, 24]] as const)
    expect(offers(new Date(2026, month, day, 20), false)[0]?.at.getHours()).toBe(9);
  vi.unstubAllEnvs();
});

test('what comes again does so on days of the week from 1, which is Monday', () => {
  const sunday = new Date(2026, 10, 29, 9);
  expect([daysOf('never', sunday), daysOf('weekly', sunday), daysOf('workdays', sunday).length]).toEqual([[], [7], 5]);
});
