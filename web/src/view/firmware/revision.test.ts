import { expect, test } from 'vitest';
import type { RolloutPause } from '../types';
import { revisionCode, suspectOf } from './revision';

test('a revision is suspect if it stands out, and hardly by chance', () => {
  const revision = { chip: 'esp32c3', revision: 3 };
  const pause: RolloutPause = { kind: 'failures', failed: 4, of: 9 };
  expect(suspectOf(pause)).toBeUndefined();
  expect(suspectOf({ ...pause, revision, chance: 0.21 })).toBeUndefined();
  expect(suspectOf({ ...pause, revision, chance: 0.2 })).toEqual(revision);
  expect(suspectOf({ ...pause, revision })).toEqual(revision); // a chance of 0 is left out
});

test('a revision is typed as its maker writes it', () => {
  expect(['', ' 1.3 ', '3', '0.12', '655.35'].map(revisionCode)).toEqual([0, 103, 300, 12, 65535]);
  expect(['1.', 'C', '1.2.3', '-1', '655.36', '1.333'].map(revisionCode)).toEqual(Array(6).fill(undefined));
});
