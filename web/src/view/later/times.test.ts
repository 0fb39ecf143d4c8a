import { expect, test, vi } from 'vitest';
import { language } from '../../text/language.svelte';
import { fieldOf } from '../when';
import { repeatOf, rhythmIn, rhythmOf, rhythms } from './rhythm';
import { offers } from './times';

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

test('what comes again does so on days of the week from 1, which is Monday, or on a day of the month', () => {
  const chosen = rhythms.map((r) => repeatOf(r, '2026-11-29T09:30', [5, 1], 'UTC')); // a Sunday
  expect(chosen).toEqual([
    undefined,
    { zone: 'UTC', time: '09:30', weekdays: [1, 2, 3, 4, 5, 6, 7] },
    { zone: 'UTC', time: '09:30', weekdays: [1, 2, 3, 4, 5] },
    { zone: 'UTC', time: '09:30', weekdays: [7] },
    { zone: 'UTC', time: '09:30', weekdays: [1, 5] },
    { zone: 'UTC', time: '09:30', month_day: 29 },
  ]);
  expect(chosen.map(rhythmIn)).toEqual(rhythms);
  expect(repeatOf('days', '2026-11-29T09:30', [], 'UTC')).toBeUndefined();
});

test.each([
  ['en', { weekdays: [1] }, 'every Monday at 09:00'],
  ['en', { weekdays: [1, 3, 5] }, 'every Mon, Wed, and Fri at 09:00'],
  ['en', { weekdays: [1, 2, 3, 4, 5] }, 'every weekday at 09:00'],
  ['en', { weekdays: [1, 2, 3, 4, 5, 6, 7] }, 'every day at 09:00'],
  ['en', { month_day: 15 }, 'every month on day 15 at 09:00'],
  ['en', { month_day: 31 }, 'on the last day of every month at 09:00'],
  ['de', { weekdays: [1] }, 'jeden Montag um 09:00'],
  ['de', { month_day: 15 }, 'jeden Monat am 15. um 09:00'],
])('in %s %o is %s', async (tag, days, words) => {
  vi.stubGlobal('navigator', { languages: [tag] });
  vi.stubGlobal('document', { documentElement: {} });
  await Promise.all([language.use(tag), language.add(['later'])]);
  const { timeZone: zone } = Intl.DateTimeFormat().resolvedOptions();
  expect(rhythmOf({ zone, time: '09:00', ...days })).toBe(words);
  expect(rhythmOf({ zone: 'Asia/Tokyo', time: '09:00', ...days })).toBe(`${words} (Asia/Tokyo)`);
});
