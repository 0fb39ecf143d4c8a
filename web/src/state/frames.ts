// What the server's frames say of rooms.

import type { Event, Message, Thread } from '../view/types';

export interface Replay {
  room: string;
  events: Event[];
  more?: boolean;
  reset?: boolean;
}

export interface Synced {
  rooms: Replay[];
  gone?: string[];
  more?: boolean; // not all rooms that were asked for are in either
}

/** How far the user has read in a room, and what is left; absent counts are 0. */
export interface Mark {
  room: string;
  seq: number;
  unread?: number;
  mentions?: number | undefined;
  threads?: number;
  /** the user has marked messages as unread again */
  back?: boolean;
}

/** How the user stands to a thread; without a mark somebody's reply is the reason. */
export interface Stands extends Thread {
  room: string;
  mark?: Mark;
  /** replies are unread again; else read only moves forward */
  back?: boolean;
}

export type Reason = 'left' | 'kicked' | 'banned' | 'deleted';

/** An alarm that nobody has acknowledged in time, as what counts as unread and is told like a message. */
export function escalated(e: Event): Message | undefined {
  const { user, alarm } = e.detail ?? {};
  if (e.type !== 'alarm.escalated' || !alarm) return undefined;
  return { room: e.room, seq: e.seq, sender: e.actor, text: alarm.name, at: e.at, ...(user && { mentions: [user] }) };
}

/** Whether events change what was said before: lines that are kept from before them are not true any more. */
export const rewrites = (events: readonly Event[]): boolean =>
  events.some((e) => e.type === 'message.deleted' || e.type === 'message.edited');
