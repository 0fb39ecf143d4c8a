import { afterEach, expect, test, vi } from 'vitest';
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
