// What the views ask of the state behind saved messages.

import type { PageOf } from './port';
import type { Message } from './types';

/** a message that the user saved */
export interface Saved {
  message: Message;
  at: string;
}

export interface SavedMessages {
  /** grows whenever what is saved, or a message of it, may be another */
  readonly news: number;
  /** Asks which messages of a room are saved, once. */
  look(room: string): void;
  /** whether a message is saved; undefined: not known yet */
  has(room: string, seq: number): boolean | undefined;
  /** saves a message, or takes it off the saved ones */
  set(room: string, seq: number, saved: boolean): Promise<void>;
  /** the one that was saved last comes first */
  page(cursor: string): Promise<PageOf<Saved>>;
}
