import { afterEach, expect, test, vi } from 'vitest';
import { expiryOf } from './settings/expiry';
import { t } from './text';
import { briefly, dayName } from './when';

afterEach(() => vi.useRealTimers());

test('a day has another name once midnight is over', () => {
  vi.useFakeTimers();
  const evening = new Date(2026, 4, 5, 23, 59, 30);
  vi.setSystemTime(evening);
  const [today, time] = [dayName(evening), briefly(evening)];
  vi.setSystemTime(new Date(2026, 4, 6, 0, 0, 1));
  expect(dayName(evening)).not.toBe(today);
  expect(briefly(evening)).not.toBe(time);
});

// Months count from 0. In Berlin two of these days have 23 and 25 hours.
test.each([
  ['the end of a month', 2026, 3, 30],
  ['the end of a year', 2026, 11, 31],
  ['a leap day', 2028, 1, 29],
  ['the day before summer time', 2027, 2, 27],
  ['the day on which summer time begins', 2027, 2, 28],
  ['the day before it ends', 2026, 9, 24],
  ['the day on which it ends', 2026, 9, 25],
])('today is yesterday a day later: %s', (_, year, month, day) => {
  vi.useFakeTimers();
  const moments = [0, 3, 12, 23].map((hour) => new Date(year, month, day, hour, 59, 59));
  for (const now of moments) {
    vi.setSystemTime(now);
    expect(moments.map(dayName)).toEqual(moments.map(() => t('room.today')));
  }
  for (const hour of [0, 2, 23]) {
    vi.setSystemTime(new Date(year, month, day + 1, hour, 0, 0));
    expect(moments.map(dayName)).toEqual(moments.map(() => t('room.yesterday')));
  }
  vi.setSystemTime(new Date(year, month, day + 2, 0, 0, 0));
  expect(moments.map(dayName)).not.toContain(t('room.yesterday'));
});

test.each([
  ['an ordinary day', 2026, 4, 5],
  ['the day on which summer time begins', 2027, 2, 28],
  ['the day on which it ends', 2026, 9, 25],
  ['a leap day', 2028, 1, 29],
])('a status for today ends with the day: %s', (_, year, month, day) => {
  const end = new Date(expiryOf('day', undefined, new Date(year, month, day, 0, 30).getTime()) ?? '');
  expect(end).toEqual(new Date(year, month, day, 23, 59, 59));
});
