import { expect, test } from 'vitest';
import { driftOf, levelOf } from './drift';

test('an index is named by the usual thresholds', () => {
  expect([0, 0.099, 0.1, 0.249, 0.25, 3].map(levelOf)).toEqual(['little', 'little', 'some', 'some', 'much', 'much']);
  expect(driftOf(0.274653)).toMatch(/^0[.,]27$/);
});
