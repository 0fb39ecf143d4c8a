import type { Event, Message } from '../types';
import { dayKey, dayName, dayOf } from '../when';

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
  | { type: 'card'; key: string; event: Event }
  | { type: 'message'; key: string; seq: number; message: Message; head: boolean; pending?: Pending | undefined };

// Messages of one sender within this time form a group.
const together = 5 * 60_000;

// Of a long group the name is shown again: wherever the numbers of the room pass a
// multiple of this, and above a long message. Neither depends on what is loaded, so that
// no line moves when more of the room is.
const again = 12;
const long = 600; // UTF-16 code units

/** How a message is known while it has no number yet, and afterwards. */
export const keyOf = (m: Message): string => (m.key ? `${m.sender.id}/${m.key}` : `#${m.seq}`);

/** Whether somebody may edit a message, if they may write in its room. */
export const isEditable = (m: Message, me: string): boolean =>
  m.sender.id === me && !m.deleted_at && !m.poll && !m.forward;

/** The last message of these that somebody may edit. */
export const lastEditable = (events: readonly Event[], me: string): Message | undefined =>
  events.findLast((e) => e.message && isEditable(e.message, me))?.message;

interface Context {
  /** what was unread when the reader came: after the one number, up to the other */
  unread: { after: number; to: number };
  /** what is loaded goes on above: the first unread may be there */
  older: boolean;
  /** between people who know each other: that they are here is not said */
  direct: boolean;
  me: string;
}

/** Lays out a room's events, oldest first, as lines. No two lines have one key. */
export function layOut(events: readonly Event[], pending: readonly Pending[], c: Context): Line[] {
  const lines: Line[] = [];
  const used = new Set<string>();
  let day = -Infinity;
  let last: Message | undefined; // the message right above, if it may be joined
  let place = 0; // its number, or that which it will probably get
  let marked = c.older && (events[0] ? fromOf(events[0]) : 0) > c.unread.after + 1;

  const put = (line: Line) => {
    if (used.has(line.key)) return;
    used.add(line.key);
    lines.push(line);
  };

  // Days only go on: what waits since yesterday, and what a clock that is behind
  // dated, stands under the day that is begun.
  const startDay = (at: string) => {
    const begun = dayOf(at);
    if (begun <= day) return;
    day = begun;
    last = undefined;
    put({ type: 'day', key: `day/${dayKey(at)}`, label: dayName(at) });
  };

  const add = (m: Message, sent?: Pending) => {
    startDay(m.at);
    const below = m.seq || place + 1;
    const named = Math.floor(below / again) !== Math.floor(place / again);
    const joins =
      last?.sender.id === m.sender.id &&
      last.face?.name === m.face?.name &&
      last.face?.emoji === m.face?.emoji &&
      last.face?.picture === m.face?.picture &&
      !named &&
      m.text.length < long &&
      Math.abs(Date.parse(m.at) - Date.parse(last.at)) < together &&
      !m.reply_to &&
      !(last.deleted_at && !m.deleted_at);
    put({ type: 'message', key: keyOf(m), seq: m.seq, message: m, head: !joins, pending: sent });
    last = m;
    place = below;
  };

  let before: Event | undefined;
  for (const e of events) {
    const above = before;
    before = e;
    const fresh = e.seq > c.unread.after && e.seq <= c.unread.to;
    if (!marked && fresh && e.type === 'message.created' && e.actor.id !== c.me) {
      startDay(e.at);
      put({ type: 'new', key: 'new' });
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
    if (hasCard(e)) {
      put({ type: 'card', key: `card/${e.seq}`, event: e });
      continue;
    }
    const line = lines.at(-1);
    if (line?.type === 'system') line.events.push(e);
    else put({ type: 'system', key: `sys/${fromOf(e)}`, events: [e] });
  }
  // What was written may be loaded before, or without, the news that it was.
  for (const p of pending) if (!used.has(keyOf(p.message))) add(p.message, p);
  return lines;
}

/** Whether an event is shown as a card: a chart, a rollout, or an alarm. */
const hasCard = (e: Event): boolean =>
  Boolean(e.detail?.chart ?? e.detail?.rollout ?? (e.type !== 'alarm.cleared' && e.detail?.alarm));

/** The number from which on an event stands for what happened. */
export const fromOf = (e: Event): number => e.folded?.from ?? e.seq;

/** Whether an event says nothing that is not plain already. */
function obvious(e: Event, above: Event | undefined, direct: boolean): boolean {
  if (e.folded || (e.type !== 'room.created' && e.type !== 'member.joined')) return false;
  // Whoever makes a room is in it.
  return direct || (above?.type === 'room.created' && e.subject?.id === above.actor.id);
}
