import type { Event, Message } from '../types';
import { dayKey, dayName } from '../when';

/** A message that is on its way, or did not get through. */
export interface Pending {
  message: Message;
  state: 'pending' | 'failed';
  why?: string | undefined;
}

/** One line of the timeline. Keys never change while a line means the same. */
export type Line =
  | { type: 'day'; key: string; label: string }
  | { type: 'new'; key: string }
  | { type: 'system'; key: string; events: Event[] }
  | { type: 'message'; key: string; seq: number; message: Message; head: boolean; pending?: Pending | undefined };

// Messages of one sender within this time form a group.
const together = 5 * 60_000;

/** How a message is known while it has no number yet, and afterwards. */
export const keyOf = (m: Message): string => (m.key ? `${m.sender.id}/${m.key}` : `#${m.seq}`);

interface Context {
  /** what was unread when the reader came: after the one number, up to the other */
  unread: { after: number; to: number };
  /** what is loaded goes on above: the first unread may be there */
  older: boolean;
  /** between people who know each other: that they are here is not said */
  direct: boolean;
  me: string;
}

/** Lays out a room's events, oldest first, as lines. */
export function layOut(events: readonly Event[], pending: readonly Pending[], c: Context): Line[] {
  const lines: Line[] = [];
  let day = '';
  let last: Message | undefined; // the message right above, if it may be joined
  let marked = c.older && (events[0]?.seq ?? 0) > c.unread.after + 1;

  const startDay = (at: string) => {
    const key = dayKey(at);
    if (key === day) return;
    day = key;
    last = undefined;
    lines.push({ type: 'day', key: `day/${key}`, label: dayName(at) });
  };

  const add = (m: Message, sent?: Pending) => {
    startDay(m.at);
    const joins =
      last?.sender.id === m.sender.id &&
      Date.parse(m.at) - Date.parse(last.at) < together &&
      !m.reply_to &&
      !(last.deleted_at && !m.deleted_at);
    lines.push({ type: 'message', key: keyOf(m), seq: m.seq, message: m, head: !joins, pending: sent });
    last = m;
  };

  let before: Event | undefined;
  for (const e of events) {
    const above = before;
    before = e;
    if (!marked && e.seq > c.unread.after && e.seq <= c.unread.to && e.type === 'message.created' && e.actor.id !== c.me) {
      startDay(e.at);
      lines.push({ type: 'new', key: 'new' });
      marked = true;
      last = undefined;
    }
    if (e.message) {
      add(e.message);
      continue;
    }
    if (obvious(e, above, c.direct)) continue;
    startDay(e.at);
    last = undefined;
    const line = lines.at(-1);
    if (line?.type === 'system') line.events.push(e);
    else lines.push({ type: 'system', key: `sys/${e.seq}`, events: [e] });
  }
  for (const p of pending) {
    // What was written may be loaded before, or without, the news that it was.
    if (!lines.some((l) => l.key === keyOf(p.message))) add(p.message, p);
  }
  return lines;
}

/** Whether an event says nothing that is not plain already. */
function obvious(e: Event, above: Event | undefined, direct: boolean): boolean {
  if (e.type !== 'room.created' && e.type !== 'member.joined') return false;
  // Whoever makes a room is in it.
  return direct || (above?.type === 'room.created' && e.subject?.id === above.actor.id);
}
