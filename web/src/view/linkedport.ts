// What the views ask of the state behind messages that links in others lead to.

import type { Message } from './types';

export interface LinkedMessages {
  /** a message as it is now; null: there is none for this user; undefined: it is asked for */
  of(room: string, seq: number): Message | null | undefined;
  /** Asks for a message, once. */
  look(room: string, seq: number): void;
}
