import { expect, test } from 'vitest';
import { endOf } from './pause';

test('a pause ends after an hour, on the next morning or after a week', () => {
  const now = new Date(2026, 11, 31, 23, 30, 12);
  expect(endOf('hour', now)).toEqual(new Date(2027, 0, 1, 0, 30, 12));
  expect(endOf('morning', now)).toEqual(new Date(2027, 0, 1, 8));
  expect(endOf('week', now)).toEqual(new Date(2027, 0, 7, 23, 30, 12));
  expect(now).toEqual(new Date(2026, 11, 31, 23, 30, 12));
});
