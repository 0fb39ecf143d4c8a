import { expect, test } from 'vitest';
import type { Event, Message, Poll, User } from '../view/types';
import { newerPoll } from './polls';
import { apply, of, polled } from './window';

const user = (id: string): User => ({ id, kind: 'user', username: id, display_name: id });
const at = '2026-03-14T09:26:53Z';
const poll = (more: Partial<Poll> = {}): Poll => ({
  question: 'tea?',
  choices: [
    { text: 'yes', votes: 0 },
    { text: 'no', votes: 0 },
  ],
  voters: 0,
  ...more,
});
const asked = (p: Poll): Event => {
  const message: Message = { room: 'r', seq: 1, sender: user('u1'), text: 'tea?', at, poll: p };
  return { room: 'r', seq: 1, type: 'message.created', actor: user('u1'), at, message };
};
const votes = (seq: number, who: string, counts: number[], closed_at?: string): Event => ({
  room: 'r',
  seq,
  type: 'poll.changed',
  actor: user(who),
  at,
  detail: { of: 1, poll: { votes: counts, voters: counts[0]! + counts[1]!, ...(closed_at && { closed_at }) } },
});
const shown = (p: Poll, ...news: Event[]) =>
  apply(of({ items: [asked(p)] }), news, 'me').events[0]?.message?.poll;
const counts = (p: Poll | undefined) => p?.choices.map((c) => c.votes);

test('a poll stands as the newest event says, in whatever pages the events come', () => {
  expect(counts(shown(poll(), votes(2, 'u2', [1, 0]), votes(3, 'u3', [1, 1])))).toEqual([1, 1]);
  expect(counts(shown(poll({ seq: 3, voters: 2 }), votes(2, 'u2', [1, 0])))).toEqual([0, 0]);
  expect(shown(poll(), votes(2, 'u1', [0, 0], at))?.closed_at).toBe(at);
});

test('a vote of others leaves one’s own, and what oneself voted elsewhere is asked', () => {
  expect(shown(poll({ mine: [1] }), votes(2, 'u2', [2, 0]))?.mine).toEqual([1]);
  expect(shown(poll({ mine: [1] }), votes(2, 'me', [0, 1]))?.mine).toBe(undefined);
});

test('an answer that is older than what is shown says only what oneself voted for', () => {
  const w = apply(of({ items: [asked(poll())] }), [votes(5, 'u2', [1, 1])], 'me');
  const late = polled(w, 1, poll({ seq: 4, voters: 1, mine: [2] })).events[0]?.message?.poll;
  expect([counts(late), late?.mine, late?.seq]).toEqual([[1, 1], [2], 5]);
  expect(newerPoll(poll({ seq: 6 }), poll({ seq: 5, mine: [1] }))?.mine).toEqual([1]);
  expect(newerPoll(undefined, poll())).toBe(undefined);
});
