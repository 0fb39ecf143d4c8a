import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Me } from '../view/types';
import { People } from './people.svelte';

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-03-01T12:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

const account = (status: Me['status']) => ({ id: 'usr_1', display_name: 'Ann', status }) as Me;
const people = (status: Me['status']) => new People(account(status), () => Promise.reject(new Error('not asked')));

test('a status of one’s own that ends goes by itself, and the mode stays', () => {
  const p = people({ mode: 'dnd', text: 'lunch', emoji: '🍜', expires: '2026-03-01T13:00:00Z' });
  vi.advanceTimersByTime(3_599_000);
  expect(p.me.status.text).toBe('lunch');
  vi.advanceTimersByTime(1_000);
  expect(p.me.status).toEqual({ mode: 'dnd' });
  expect(p.me.display_name).toBe('Ann');
});

test('one that ends in months is not taken for one that has ended', () => {
  const p = people({ text: 'on leave', expires: '2026-06-01T12:00:00Z' });
  vi.advanceTimersByTime(91 * 86_400_000);
  expect(p.me.status.text).toBe('on leave');
  vi.advanceTimersByTime(2 * 86_400_000);
  expect(p.me.status).toEqual({});
});

test('one that is set meanwhile, in this tab or another, ends at its own time', () => {
  const p = people({ text: 'lunch', expires: '2026-03-01T13:00:00Z' });
  p.renamed(account({ text: 'meeting', expires: '2026-03-01T15:00:00Z' }));
  vi.advanceTimersByTime(2 * 3_600_000);
  expect(p.me.status.text).toBe('meeting');
  p.me = account({ text: 'for good' });
  vi.advanceTimersByTime(86_400_000);
  expect(p.me.status).toEqual({ text: 'for good' });
});

test('one that had ended when it arrived is not shown, and nothing waits after the end', () => {
  const p = people({ text: 'lunch', expires: '2026-03-01T11:00:00Z' });
  expect(p.me.status).toEqual({});
  p.me = account({ text: 'tea', expires: '2026-03-01T13:00:00Z' });
  p.close();
  expect(vi.getTimerCount()).toBe(0);
});

test('a device is asleep until it wants to be back, and offline if it does not come', () => {
  const p = people({});
  p.seen([{ user: 'dev_1', is: 'asleep', until: '2026-03-01T13:00:00Z' }]);
  vi.advanceTimersByTime(3_599_000);
  expect(p.presence('dev_1')?.is).toBe('asleep');
  vi.advanceTimersByTime(1_000);
  expect(p.presence('dev_1')).toEqual({ user: 'dev_1', is: 'offline' });

  p.seen([{ user: 'dev_1', is: 'asleep', until: '2026-03-01T15:00:00Z' }]);
  p.seen([{ user: 'dev_1', is: 'online' }]);
  vi.advanceTimersByTime(3 * 3_600_000);
  expect(p.presence('dev_1')?.is).toBe('online');
  p.seen([{ user: 'dev_1', is: 'asleep', until: '2026-06-01T15:00:00Z' }]);
  vi.advanceTimersByTime(60 * 86_400_000);
  expect(p.presence('dev_1')?.is).toBe('asleep');
  p.close();
  expect(vi.getTimerCount()).toBe(0);
});

test('whom the user has blocked is told by each hello, and as it changes', () => {
  const all = people({});
  all.blocks(['b', 'c']);
  all.block('b', false);
  all.block('d', true);
  expect(['b', 'c', 'd'].filter((u) => all.blocked(u))).toEqual(['c', 'd']);
  all.blocks(['b']);
  expect(['b', 'c', 'd'].filter((u) => all.blocked(u))).toEqual(['b']);
});
