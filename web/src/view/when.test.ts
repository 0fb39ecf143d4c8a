import { expect, it } from 'vitest';
import { sources } from '../testing/sources';
import { dateField, dayFrom, hoursFor } from './when';

it('counts hours in twelves only for those whose languages all do', () => {
  expect(hoursFor('en', ['en-US', 'en'])).toBe('12');
  expect(hoursFor('en-GB', ['en-GB'])).toBe('24');
  expect(hoursFor('en', ['de-DE', 'en'])).toBe('24'); // English words, a German clock
  expect(hoursFor('de', ['en-US'])).toBe('24'); // chosen on the profile
  expect(hoursFor('en', [])).toBe('12');
});

it('is what writes all times, so that every clock counts alike', () => {
  const others = sources().filter(
    ({ name, text }) => name !== 'view/when.ts' && /new Intl\.DateTimeFormat|toLocale(Time|Date)?String\(/.test(text),
  );
  expect(others.map(({ name }) => name)).toEqual([]);
});

it('reads a day as a field has it, at its local beginning, and nothing that is no day', () => {
  for (const day of ['2026-05-01', '2024-02-29', '2026-03-29', '1970-01-01']) {
    const at = dayFrom(day);
    expect(dateField(at ?? 0)).toBe(day);
    expect(new Date((at?.getTime() ?? 0) - 1).getDate()).not.toBe(at?.getDate());
  }
  for (const no of ['', '2026-02-30', '2026-13-01', '2026-5-1', '0050-01-01', 'yesterday', '2026-05-01T00:00'])
    expect(dayFrom(no)).toBeUndefined();
});
