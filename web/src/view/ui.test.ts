import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { overlay } from './ui.svelte';

let there: object | null = null; // the notice that one is at

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', { querySelector: () => there });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const shown = () => overlay.toasts.map((toast) => toast.text);

test('a notice goes by itself, one with something to do a little later', () => {
  overlay.say('saved');
  overlay.say('deleted', false, { label: 'Undo', run: () => {} });
  vi.advanceTimersByTime(3000);
  expect(shown()).toEqual(['deleted']);
  vi.advanceTimersByTime(5000);
  expect(shown()).toEqual([]);
});

test('no notice goes away under the pointer, or with the focus', () => {
  overlay.say('deleted', false, { label: 'Undo', run: () => {} });
  there = {};
  vi.advanceTimersByTime(60_000);
  expect(shown()).toEqual(['deleted']);
  there = null;
  vi.advanceTimersByTime(1000);
  expect(shown()).toEqual([]);
});
