// What events make of the thread of a message. A reply that a message counts already changes nothing, so the log
// may be replayed over a page that is newer than it.

import type { Event, Message } from '../view/types';

const listed = 5; // users that are listed with a thread
const counted = 1000;

/** A line after replies in threads. */
export function answered(line: Event, replies: readonly Event[]): Event {
  const had = line.message;
  if (!had || had.thread) return line;
  let now = had;
  for (const { message: m } of replies) {
    if (m?.thread !== had.seq || m.deleted_at || m.seq <= (now.replies?.last ?? 0)) continue;
    const { count, users } = now.replies ?? { count: 0, users: [] };
    const known = users.length >= listed || users.some((u) => u.id === m.sender.id);
    const replies = {
      count: Math.min(count + 1, counted),
      last: m.seq,
      at: m.at,
      users: known ? users : [...users, m.sender],
    };
    now = { ...now, replies };
  }
  return now === had ? line : { ...line, message: now };
}

/** A newer state of a message with the later count of its thread. */
export function keptReplies(now: Message, had: Message): Message {
  return had.replies && had.replies.last > (now.replies?.last ?? 0) ? { ...now, replies: had.replies } : now;
}
