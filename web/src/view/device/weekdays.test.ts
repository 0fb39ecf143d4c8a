import { expect, test } from 'vitest';
import { dayNames } from './weekdays';

test('weekdays begin on Monday', () => {
  expect(dayNames([7, 1, 3])).toBe('Mon, Wed, Sun');
});
