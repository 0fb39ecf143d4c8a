import { expect, test } from 'vitest';
import type { RolloutPause } from '../types';
import { suspectOf } from './revision';

test('a revision is suspect if it stands out, and hardly by chance', () => {
  const revision = { chip: 'esp32c3', revision: 3 };
  const pause: RolloutPause = { kind: 'failures', failed: 4, of: 9 };
  expect(suspectOf(pause)).toBeUndefined();
  expect(suspectOf({ ...pause, revision, chance: 0.21 })).toBeUndefined();
  expect(suspectOf({ ...pause, revision, chance: 0.2 })).toEqual(revision);
  expect(suspectOf({ ...pause, revision })).toEqual(revision); // a chance of 0 is left out
});
