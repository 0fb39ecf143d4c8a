import { expect, test } from 'vitest';
import type { Event, Message, Reaction, User } from '../view/types';
import { merged, react } from './reactions';
import { apply, of } from './window';

const user = (id: string): User => ({ id, kind: 'user', username: id, display_name: id });
const at = '2026-03-14T09:26:53Z';
const message = (more: Partial<Message> = {}): Message => ({
  room: 'r',
  seq: 1,
  sender: user('u1'),
  text: 'tea?',
  at,
  ...more,
});
const reacts = (seq: number, who: string, emoji: string, add: boolean): Event => ({
  room: 'r',
  seq,
  type: add ? 'reaction.added' : 'reaction.removed',
  actor: user(who),
  at,
  detail: { of: 1, emoji },
});

/** What a log comes to: the emoji in the order in which they came, and who gives each. */
function fold(log: readonly Event[]): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const e of log) {
    const emoji = e.detail?.emoji ?? '';
    const users = (all.get(emoji) ?? []).filter((id) => id !== e.actor.id);
    if (e.type === 'reaction.added') users.push(e.actor.id);
    if (users.length) all.set(emoji, users);
    else all.delete(emoji);
  }
  return all;
}

/** The message as a page has it after the log. */
function page(log: readonly Event[], me: string): Message {
  const reactions: Reaction[] = [...fold(log)].map(([emoji, users]) => ({
    emoji,
    count: users.length,
    users: users.slice(0, 20),
    ...(users.includes(me) && { mine: true }),
  }));
  return message({ reactions, reactions_seq: log.at(-1)?.seq ?? 0 });
}

const summary = (m: Message | undefined, me: string) =>
  (m?.reactions ?? []).map((r) => [r.emoji, r.count, r.mine ?? r.users?.includes(me) ?? false]);

test('whenever a page is loaded, and from wherever the log is replayed over it, all views agree', () => {
  let state = 20261128; // of a generator, so that a failure comes again
  const chance = (n: number) => (state = (state * 48271) % 2147483647) % n;
  for (let round = 0; round < 200; round++) {
    const people = 3 + chance(60);
    const given = new Set<string>();
    const log: Event[] = [];
    for (let seq = 2; seq < 150; seq++) {
      const [who, emoji] = [`u${chance(people)}`, ['👍', '🎉', '👀'][Math.min(2, chance(6))] ?? ''];
      const add = !given.delete(who + emoji);
      if (add) given.add(who + emoji);
      log.push(reacts(seq, who, emoji, add));
    }
    const loaded = chance(log.length + 1);
    const first = page(log.slice(0, loaded), 'u0');
    let view = of({ items: [{ ...reacts(1, 'u1', '', true), type: 'message.created', message: first }] });
    for (let from = chance(loaded + 1); from < log.length; ) {
      const n = 1 + chance(20);
      view = apply(view, log.slice(from, from + n), 'u0');
      from += chance(8) ? n : 0; // the connection breaks, and the same comes again
    }
    expect(summary(view.events[0]?.message, 'u0'), `round ${round}`).toEqual(summary(page(log, 'u0'), 'u0'));
  }
});

test('an edit keeps the reactions, and which of them are one’s own', () => {
  const had = message({ reactions: [{ emoji: '👍', count: 30, users: [], mine: true }], reactions_seq: 40 });
  const reactions = [{ emoji: '👍', count: 30, users: [] }];
  const edit = message({ text: 'coffee?', edits: 1, reactions, reactions_seq: 40 });
  expect(merged(edit, had)).toEqual({ ...edit, reactions: had.reactions });
  const newer = { ...edit, reactions: [], reactions_seq: 41 };
  expect(merged(newer, had).reactions).toEqual([]);
  expect(merged(message({ deleted_at: at }), had).reactions).toBeUndefined();
});

test('a deleted message has no reactions, and one of another message changes nothing', () => {
  const gone = message({ deleted_at: at });
  expect(react(gone, reacts(9, 'u2', '👍', true), 'u0')).toBe(gone);
  const view = of({ items: [{ ...reacts(2, 'u1', '', true), type: 'message.created', message: message({ seq: 2 }) }] });
  expect(apply(view, [reacts(9, 'u2', '👍', true)], 'u0')).toEqual(view);
});
