import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Message } from '../types';
import { bare, shown } from './shownemoji';
import { Wishes } from './wishes.svelte';

const message = (more: Partial<Message> = {}): Message => ({
  room: 'r',
  seq: 1,
  sender: { id: 'ann', kind: 'user', username: 'ann', display_name: 'Ann' },
  text: 'tea?',
  at: '2026-03-14T09:26:53Z',
  ...more,
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp(answer: () => Promise<number>) {
  const sent: [number, string, boolean][] = [];
  const refused: unknown[] = [];
  const react = (...args: [number, string, boolean]) => {
    sent.push(args);
    return answer();
  };
  return { sent, refused, wishes: new Wishes({ react }, 'me', (err) => refused.push(err)) };
}

test('a reaction is shown at once, sent after a moment, and shown once when it has come', async () => {
  const { sent, wishes } = setUp(() => Promise.resolve(7));
  const m = message({ reactions: [{ emoji: '❤', count: 2, users: ['ann', 'bob'] }], reactions_seq: 3 });
  wishes.toggle(m, '❤️');
  expect(wishes.of(m)).toEqual([{ emoji: '❤', count: 3, users: ['ann', 'bob'], mine: true }]);
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toEqual([[1, '❤', true]]);
  const now = message({ reactions: [{ emoji: '❤', count: 3, users: ['ann', 'bob', 'me'] }], reactions_seq: 7 });
  expect(wishes.of(now)).toEqual([{ emoji: '❤', count: 3, users: ['ann', 'bob', 'me'], mine: true }]);
});

test('two clicks in a moment send nothing', async () => {
  const { sent, wishes } = setUp(() => Promise.resolve(7));
  wishes.toggle(message(), '👍');
  wishes.toggle(message(), '👍');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(sent).toEqual([]);
  expect(wishes.of(message())).toEqual([]);
});

test('what is refused is undone, and said', async () => {
  const { refused, wishes } = setUp(() => Promise.reject(new Error('muted')));
  wishes.toggle(message(), '👍');
  expect(wishes.of(message())).toEqual([{ emoji: '👍', count: 1, mine: true }]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(wishes.of(message())).toEqual([]);
  expect(refused).toHaveLength(1);
});

test('what is taken back while it is on its way is sent after it, in order', async () => {
  const { sent, wishes } = setUp(() => new Promise((done) => setTimeout(done, 3_000, sent.length + 5)));
  wishes.toggle(message(), '👍');
  await vi.advanceTimersByTimeAsync(1_500);
  wishes.toggle(message(), '👍');
  expect(wishes.of(message())).toEqual([]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toEqual([
    [1, '👍', true],
    [1, '👍', false],
  ]);
});

test('what is held back is sent when the page goes away', () => {
  const { sent, wishes } = setUp(() => Promise.resolve(7));
  wishes.toggle(message(), '👍');
  wishes.flush();
  return Promise.resolve().then(() => expect(sent).toHaveLength(1));
});

test('what is stored without the selector of emoji is shown with it', () => {
  for (const emoji of ['❤️', '👍', '👍🏽', '1️⃣', '🇦🇹', '🏳️‍🌈', '👩🏽‍❤️‍💋‍👨🏽', '☹️', '🏴‍☠️', '✌🏽', '🕵️‍♀️'])
    expect(shown(bare(emoji)), emoji).toBe(emoji);
});
