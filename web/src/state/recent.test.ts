import { expect, test, vi } from 'vitest';
import { Recent } from './recent';

test('an answer that stays is asked for once, another again after a while', async () => {
  vi.useFakeTimers();
  const recent = new Recent<number>();
  let asked = 0;
  const ask = (key: string, stays: boolean) => recent.get(key, stays, () => Promise.resolve(++asked));
  expect([await ask('a', true), await ask('a', true), await ask('b', false), await ask('b', false)]).toEqual([
    1, 1, 2, 2,
  ]);
  vi.advanceTimersByTime(20_000);
  expect([await ask('a', true), await ask('b', false)]).toEqual([1, 3]);
  vi.useRealTimers();
});

test('a failure is asked for again, and of many answers the oldest goes', async () => {
  const recent = new Recent<number>();
  await expect(recent.get('x', true, () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await recent.get('x', true, () => Promise.resolve(1))).toBe(1);
  for (let i = 0; i < 60; i++) await recent.get(`n${i}`, true, () => Promise.resolve(i));
  expect(await recent.get('x', true, () => Promise.resolve(2))).toBe(2);
});
