import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { announcer } from './announce.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('reads out each of three messages that come at once', () => {
  for (const text of ['one', 'two', 'three']) announcer.say(text);
  expect(announcer.lines.map((l) => l.text)).toEqual(['one', 'two', 'three']);
  vi.advanceTimersByTime(5000);
  expect(announcer.lines).toEqual([]);
});
