import { expect, it } from 'vitest';
import { stepIn, type Step } from './grid';

// Three to a row: 0 | 1 2 3, 4 5 | 6 7 8
const sizes = [1, 5, 3];

function walk(from: number, ...steps: Step[]): number[] {
  let at = from;
  return steps.map((s) => (at = stepIn(sizes, 3, at, s)));
}

it('goes up and down in a column, whatever section the next row is of', () => {
  expect(walk(0, 'down', 'down', 'down', 'down')).toEqual([1, 4, 6, 6]);
  expect(walk(8, 'up', 'up', 'up', 'up')).toEqual([5, 2, 0, 0]);
});

it('goes on and back through all sections, and stays at the ends', () => {
  expect(walk(0, 'back', 'on', 'on')).toEqual([0, 1, 2]);
  expect(walk(7, 'on', 'on')).toEqual([8, 8]);
});

it('stays where nothing is', () => {
  for (const s of ['on', 'back', 'up', 'down'] as const) expect(stepIn([], 3, 0, s)).toBe(0);
});
