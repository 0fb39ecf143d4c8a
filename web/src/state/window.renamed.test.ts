import { expect, test } from 'vitest';
import type { Event, User } from '../view/types';
import { empty, renamed } from './window';

const ann: User = { id: 'usr_a', kind: 'user', username: 'ann', display_name: 'Ann', avatar: '/old' };
const bob: User = { id: 'usr_b', kind: 'user', username: 'bob', display_name: 'Bob' };
const said = (seq: number, sender: User): Event => ({
  room: 'r',
  seq,
  type: 'message.created',
  actor: sender,
  at: '2026-01-01T00:00:00Z',
  message: { room: 'r', seq, sender, text: 'x', at: '2026-01-01T00:00:00Z' },
});

test('a new name stands at once over what somebody said before', () => {
  const w = { ...empty, events: [said(1, ann), said(2, bob)] };
  const now = renamed(w, { id: 'usr_a', kind: 'user', username: 'ann', display_name: 'Ann King' });
  expect(now.events[0]?.message?.sender).toEqual({
    id: 'usr_a',
    kind: 'user',
    username: 'ann',
    display_name: 'Ann King',
  });
  expect(now.events[0]?.actor.display_name).toBe('Ann King');
  expect(now.events[1]).toBe(w.events[1]);
  expect(renamed(w, { ...bob, id: 'usr_c' })).toBe(w);
});
