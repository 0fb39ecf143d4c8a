// What events make of the reactions to a message. An event that a message has already changes
// nothing, so the log may be replayed over a page that is newer than it.

import type { Event, Message, Reaction } from '../view/types';

const listed = 20; // users that are listed with an emoji

/** Events of reactions by the number of the message, in their order. */
export type Changes = Map<number, Event[]>;

/** Notes an event, if it is about a reaction. */
export function note(changes: Changes, e: Event): boolean {
  const of = e.detail?.of;
  if (!of || !e.type.startsWith('reaction.')) return false;
  const before = changes.get(of);
  if (before) before.push(e);
  else changes.set(of, [e]);
  return true;
}

/** A message after an event about a reaction to it; me: whoever looks at it. */
export function react(m: Message, e: Event, me: string): Message {
  const emoji = e.detail?.emoji;
  if (!emoji || m.deleted_at || e.seq <= (m.reactions_seq ?? 0)) return m;
  const all = m.reactions ?? [];
  const had = all.find((r) => r.emoji === emoji) ?? { emoji, count: 0 };
  const add = e.type === 'reaction.added';
  const users = (had.users ?? []).filter((id) => id !== e.actor.id);
  const now: Reaction = { ...had, users, count: Math.max(0, had.count + (add ? 1 : -1)) };
  if (add && now.count === users.length + 1 && users.length < listed) users.push(e.actor.id);
  if (e.actor.id === me) now.mine = add;
  const reactions = (all.includes(had) ? all.map((r) => (r === had ? now : r)) : [...all, now]).filter((r) => r.count);
  return { ...m, reactions, reactions_seq: e.seq };
}

/** A newer state of a message with the newer reactions of both. Only pages say which are the user's own. */
export function merged(now: Message, had: Message): Message {
  if (now.deleted_at) return now;
  if ((now.reactions_seq ?? 0) > (had.reactions_seq ?? 0)) return now;
  const { reactions: _, reactions_seq: __, ...rest } = now;
  return {
    ...rest,
    ...(had.reactions && { reactions: had.reactions }),
    ...(had.reactions_seq && { reactions_seq: had.reactions_seq }),
  };
}
