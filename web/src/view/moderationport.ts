// What the views ask of reports of messages.

import type { PageOf } from './port';
import type { Message, User } from './types';

export type { PageOf } from './port';

export type ReportReason = 'spam' | 'harassment' | 'dangerous' | 'other';
export const reasons: readonly ReportReason[] = ['spam', 'harassment', 'dangerous', 'other'];
export type Decision = 'kept' | 'removed';

/** Those of people, and of the server where a room has its messages screened. */
export type AnyReason = 'spam' | 'harassment' | 'dangerous' | 'other' | 'rough_language' | 'looks_like_spam';

/** A report that the user made. */
export interface OwnReport {
  room: string;
  seq: number;
  reason: ReportReason;
  note?: string;
  at: string;
  state: 'open' | 'kept' | 'removed';
  decided_at?: string;
}

/** A report, for those who decide on it. */
export interface MessageReport {
  /** absent: the account was deleted, or the server flagged the message */
  by?: User;
  reason: AnyReason;
  note?: string;
  /** of the message when it was reported */
  text?: string;
  at: string;
}

/** A message with its open reports. */
export interface ReportedMessage {
  message: Message;
  since: string;
  count: number;
  reports: MessageReport[];
}

/** A reported message in the queue of administrators, without what it says. */
export interface AdminReport {
  room: string;
  kind: 'public' | 'private' | 'direct';
  name?: string;
  seq: number;
  author: User;
  since: string;
  count: number;
  reasons: AnyReason[];
}

/** A reported message with those around it. */
export interface ReportContext {
  reported: ReportedMessage;
  around: Message[];
}

/** A page of a queue. */
export interface QueuePage<T> extends PageOf<T> {
  /** messages in it, those of all pages */
  waiting: number;
}

/** What became of a report that the user made. */
export interface Decided {
  room: string;
  seq: number;
  state: Decision;
}

/** A queue of the user has changed. */
export interface DeskNews {
  /** empty: that of administrators */
  room: string;
  /** somebody else has reported a message; else one was decided on */
  open: boolean;
}

/** What is told while the user is connected. */
export interface ReportNews {
  /** grows whenever a queue of the user, or their own list, may be another */
  readonly news: number;
  /** the last decision that was told */
  readonly decided: Decided | undefined;
  /** what was told last of their queues */
  readonly desk: DeskNews | undefined;
}

export interface ModerationApi {
  report(room: string, seq: number, reason: ReportReason, note: string): Promise<void>;
  own(cursor: string): Promise<PageOf<OwnReport>>;
  queue(room: string, cursor: string): Promise<QueuePage<ReportedMessage>>;
  /** how many messages wait in a room or, without one, for administrators */
  waiting(room: string): Promise<number>;
  decide(room: string, seq: number, decision: Decision): Promise<void>;
}
