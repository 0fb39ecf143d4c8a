import { expect, it } from 'vitest';
import { sources } from '../testing/sources';
import { hoursFor } from './when';

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
