// What the views ask of polls.

import type { PageOf } from './port';
import type { Poll, User } from './types';

export type { PageOf } from './port';

/** A poll that somebody wants to make. */
export interface Wanted {
  question: string;
  choices: string[];
  multiple: boolean;
  anonymous: boolean;
  /** nothing: when somebody closes it */
  closes_at?: string;
  /** number of the message whose thread it is asked in */
  thread?: number;
}

export interface PollApi {
  /** the same key makes one poll */
  create(room: string, key: string, poll: Wanted): Promise<void>;
  /** choices count from 1; none takes the vote back */
  vote(room: string, seq: number, choices: readonly number[]): Promise<Poll>;
  close(room: string, seq: number): Promise<Poll>;
  /** the first of those who voted for a choice */
  voters(room: string, seq: number, choice: number): Promise<PageOf<{ user: User }>>;
  /** the poll with what the user has voted for */
  load(room: string, seq: number): Promise<Poll | undefined>;
}
