import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Idle } from './idle';

const page = new EventTarget();
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('who touches nothing for five minutes is away, and back at the first touch', () => {
  const said: boolean[] = [];
  const idle = new Idle((active) => said.push(active));
  vi.advanceTimersByTime(4 * 60_000);
  page.dispatchEvent(new Event('keydown'));
  vi.advanceTimersByTime(4 * 60_000);
  expect(said).toEqual([]);
  vi.advanceTimersByTime(2 * 60_000);
  expect([said, idle.active]).toEqual([[false], false]);
  page.dispatchEvent(new Event('pointermove'));
  page.dispatchEvent(new Event('pointermove'));
  expect([said, idle.active]).toEqual([[false, true], true]);
  idle.stop();
  vi.advanceTimersByTime(60 * 60_000);
  page.dispatchEvent(new Event('keydown'));
  expect(said).toEqual([false, true]);
});
