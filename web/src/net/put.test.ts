import { expect, test } from 'vitest';
import { Refusal, Unreachable } from './api';
import { passing } from './put';

test('what may pass is tried again, and a refusal is not', () => {
  expect(passing(new Unreachable(''))).toBe(0);
  expect(passing(new Refusal(429, {}, 7))).toBe(7);
  expect(passing(new Refusal(503, {}))).toBe(0);
  expect(passing(new Refusal(507, {}))).toBeUndefined(); // the disk stays full
  for (const status of [400, 403, 404, 409, 413]) expect(passing(new Refusal(status, {})), `${status}`).toBeUndefined();
  expect(passing(new Error('a fault of our own'))).toBeUndefined();
});
