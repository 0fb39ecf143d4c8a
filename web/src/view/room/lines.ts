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
  /** the last message that was read when the room was opened */
  readTo: number;
  me: string;
}

/** Lays out a room's events, oldest first, as lines. */
export function layOut(events: readonly Event[], pending: readonly Pending[], c: Context): Line[] {
  const lines: Line[] = [];
  let day = '';
  let last: Message | undefined; // the message right above, if it may be joined
  let marked = false;

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

  for (const e of events) {
    if (!marked && e.seq > c.readTo && e.type === 'message.created' && e.actor.id !== c.me) {
      startDay(e.at);
      lines.push({ type: 'new', key: 'new' });
      marked = true;
      last = undefined;
    }
    if (e.message) {
      add(e.message);
      continue;
    }
    startDay(e.at);
    last = undefined;
    const above = lines.at(-1);
    if (above?.type === 'system') above.events.push(e);
    else lines.push({ type: 'system', key: `sys/${e.seq}`, events: [e] });
  }
  for (const p of pending) add(p.message, p);
  return lines;
}
