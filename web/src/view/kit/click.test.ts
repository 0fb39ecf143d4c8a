import { expect, test, vi } from 'vitest';
import { ignoreClick } from './click';

/** Whether a click is let through. */
function click(on: EventTarget): boolean {
  return on.dispatchEvent(new Event('click', { cancelable: true }));
}

test('the click of a press that was acted on is ignored, and only that one', () => {
  const page = new EventTarget();
  ignoreClick(page);
  expect(click(page)).toBe(false);
  expect(click(page)).toBe(true);
});

test('a click with a press of its own counts, as does a later one', () => {
  vi.useFakeTimers();
  const page = new EventTarget();
  ignoreClick(page);
  page.dispatchEvent(new Event('pointerdown'));
  expect(click(page)).toBe(true);
  ignoreClick(page);
  vi.advanceTimersByTime(501);
  expect(click(page)).toBe(true);
  vi.useRealTimers();
});
