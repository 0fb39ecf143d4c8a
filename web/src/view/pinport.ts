// What the views ask of the state behind the pinned messages of a room.

import type { Pin } from './types';

export interface Pins {
  readonly phase: 'loading' | 'ready' | 'failed';
  readonly error: string;
  /** the one that was pinned last comes first */
  readonly items: readonly Pin[];
  /** whether a message is pinned; undefined: not known yet */
  has(seq: number): boolean | undefined;
  /** asks for them anew; what is there stays until the answer comes */
  load(): Promise<void>;
  /** pins a message, or takes it off the pinned ones */
  set(seq: number, pinned: boolean): Promise<void>;
}
