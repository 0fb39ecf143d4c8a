// What the views ask of the state behind scheduled messages and reminders.

import type { Message } from './types';

/** a message that the user sends later */
export interface Scheduled {
  id: string;
  room: string;
  thread?: number;
  text: string;
  at: string;
  state: 'waiting' | 'sending' | 'failed';
  /** code of the error, of one that has failed */
  failure?: string;
}

/** a time of day on days of the week: 1 is Monday */
export interface Repeat {
  zone: string;
  time: string;
  weekdays: number[];
}

export interface Reminder {
  id: string;
  text?: string;
  message?: Message;
  /** when it comes next; absent: no more */
  at?: string;
  repeat?: Repeat;
  /** when it came; absent: it asks for nothing now */
  since?: string;
}

/** what a new reminder is about: a message, or a text */
export interface About {
  room?: string;
  seq?: number;
  text?: string;
}

export interface Later {
  /** undefined: not known yet */
  readonly scheduled: readonly Scheduled[] | undefined;
  readonly reminders: readonly Reminder[] | undefined;
  /** why they are not known */
  readonly failed: unknown;
  /** how many messages have failed, and reminders came */
  readonly due: number;
  /** the reminder that came last, while this page is open */
  readonly came: Reminder | undefined;
  load(): Promise<void>;
  schedule(room: string, thread: number | undefined, text: string, at: Date): Promise<void>;
  change(id: string, text: string, at: Date): Promise<void>;
  send(id: string): Promise<void>;
  unschedule(id: string): Promise<void>;
  remind(about: About, at: Date, repeat?: Repeat): Promise<Reminder>;
  postpone(id: string, at: Date): Promise<void>;
  done(id: string): Promise<void>;
  remove(id: string): Promise<void>;
}
