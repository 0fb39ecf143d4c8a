import { expect, test } from 'vitest';
import { apply, of } from '../state/window';
import { isLine, moves } from './events';
import type { Event, Message } from './types';

const ann = { id: 'a', kind: 'user', username: 'ann', display_name: 'Ann' } as const;
const at = '2026-01-01T00:00:00Z';
const message = (seq: number, text: string): Message => ({ room: 'r', seq, sender: ann, text, at });
const event = (seq: number, type: string, m?: Message): Event => ({
  room: 'r',
  seq,
  type,
  actor: ann,
  at,
  ...(m && { message: m }),
});

test('an event of a newer server is a line, or changes the message that it has', () => {
  expect(isLine(event(2, 'reading.taken'))).toBe(true);
  expect(isLine(event(2, 'message.pinned', message(1, 'one')))).toBe(false);
  expect(isLine(event(2, 'poll.created', message(2, 'which?')))).toBe(true);
  expect(
    ['constructor', 'reading.taken', 'member.role', 'member.joined', 'member.banned'].map((t) => moves(event(2, t))),
  ).toEqual([undefined, undefined, undefined, 'joins', 'leaves']);
  const w = of({ items: [event(1, 'message.created', message(1, 'one'))] });
  const after = apply(w, [event(2, 'message.pinned', message(1, 'one, pinned')), event(3, 'reading.taken')]);
  expect(after.events.map((e) => [e.seq, e.type, e.message?.text])).toEqual([
    [1, 'message.created', 'one, pinned'],
    [3, 'reading.taken', undefined],
  ]);
});
