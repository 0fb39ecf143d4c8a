import { expect, test } from 'vitest';
import { span } from './span';

test('a list renders what is on the screen and a screen around it, however long it is', () => {
  for (const count of [0, 1, 101, 2000, 100_000]) {
    for (let top = -500; top < count * 48 + 500; top += Math.max(37, count)) {
      const { from, to } = span(count, 48, top, 800);
      expect(to - from).toBeLessThanOrEqual(70);
      const [first, last] = [Math.floor(top / 48), Math.ceil((top + 800) / 48)];
      for (const i of [first, last - 1]) {
        if (i >= 0 && i < count)
          expect(i >= from && i < to, `row ${i} of ${count} at ${top}: ${from} to ${to}`).toBe(true);
      }
    }
  }
});

test('a list that became shorter shows its end', () => {
  expect(span(15, 48, 90_000, 800)).toEqual({ from: 5, to: 15 });
});
