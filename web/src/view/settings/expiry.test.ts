import { expect, test } from 'vitest';
import { clears, expiryOf } from './expiry';

const noon = Date.parse('2026-03-01T12:00:00Z');

test('a status that is saved again keeps the end it was given', () => {
  expect(expiryOf('keep', '2026-03-01T13:00:00Z', noon)).toBe('2026-03-01T13:00:00Z');
});

test('a status ends after a while, tonight, or never', () => {
  expect(expiryOf('never', '2026-03-01T13:00:00Z', noon)).toBeUndefined();
  expect(expiryOf('30m', undefined, noon)).toBe('2026-03-01T12:30:00.000Z');
  const tonight = new Date(expiryOf('day', undefined, noon) ?? 0);
  expect([tonight.getDate(), tonight.getHours(), tonight.getMinutes()]).toEqual([new Date(noon).getDate(), 23, 59]);
  expect(clears).toEqual(['never', '30m', '1h', '4h', 'day']);
});
