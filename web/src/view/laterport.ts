// What the views ask of the state behind scheduled messages and reminders.

import type { Message } from './types';

/** a message that the user sends later */
export interface Scheduled {
  id: string;
  room: string;
  thread?: number;
  text: string;
  /** when it is sent, the next time if it repeats */
  at: string;
  repeat?: Repeat;
  /** it repeats, but not for now */
  paused?: boolean;
  state: 'waiting' | 'sending' | 'failed';
  /** code of the error, of one that has failed; of one that waits, why it was not sent the last time */
  failure?: string;
}

/** a time of day on days of the week, of which 1 is Monday, or on a day of each month */
export interface Repeat {
  zone: string;
  time: string;
  weekdays?: number[];
  /** months that are shorter have their last day instead */
  month_day?: number;
}

/** when something comes: of what repeats, from when on; absent: from now on */
export interface Times {
  at?: Date | undefined;
  repeat?: Repeat | undefined;
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
  schedule(room: string, thread: number | undefined, text: string, when: Times): Promise<void>;
  change(id: string, text: string, when: Times, paused?: boolean): Promise<void>;
  /** leaves out the next time of one that repeats */
  skip(m: Scheduled): Promise<void>;
  send(id: string): Promise<void>;
  unschedule(id: string): Promise<void>;
  remind(about: About, when: Times): Promise<Reminder>;
  postpone(id: string, at: Date): Promise<void>;
  done(id: string): Promise<void>;
  remove(id: string): Promise<void>;
}
