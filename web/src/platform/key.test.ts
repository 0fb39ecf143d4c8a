import { expect, it } from 'vitest';
import { sources } from '../testing/sources';
import { newKey } from './key';

it('is another key each time, and a later one comes after it', () => {
  expect(newKey()).not.toBe(newKey());
  expect(newKey(1_800_000_000_001) > newKey(1_800_000_000_000)).toBe(true);
});

it('is what makes all keys: a page that came by plain http has no randomUUID', () => {
  expect(sources().filter(({ text }) => /randomUUID\(/.test(text))).toEqual([]);
});
