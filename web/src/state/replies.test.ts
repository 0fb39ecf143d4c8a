import { expect, test } from 'vitest';
import type { Event, User } from '../view/types';
import { answered, keptReplies } from './replies';

const user = (id: string): User => ({ id, kind: 'user', username: id, display_name: id });
const line = (seq: number, by: string, thread?: number, deleted = false): Event => ({
  room: 'r',
  seq,
  type: 'message.created',
  actor: user(by),
  at: `2026-11-28T10:00:${seq}Z`,
  message: {
    room: 'r',
    seq,
    sender: user(by),
    text: 'x',
    at: `2026-11-28T10:00:${seq}Z`,
    ...(thread && { thread }),
    ...(deleted && { deleted_at: '2026-11-28T11:00:00Z' }),
  },
});

test('replies are counted once, with who wrote them first', () => {
  const root = line(10, 'ann');
  const news = [line(11, 'bob', 10), line(12, 'cat', 10, true), line(13, 'ann', 9), line(14, 'bob', 10)];
  const once = answered(root, news);
  expect(once.message?.replies).toEqual({ count: 2, last: 14, at: news[3]?.at, users: [user('bob')] });
  expect(answered(once, news)).toBe(once);
  expect(answered(line(13, 'ann', 9), [line(15, 'bob', 13)]).message?.replies).toBeUndefined();
});

test('an older state of a message does not lose later replies', () => {
  const had = answered(line(10, 'ann'), [line(11, 'bob', 10)]).message;
  const now = line(10, 'ann').message;
  expect(had && now && keptReplies({ ...now, text: 'y' }, had).replies?.count).toBe(1);
});
