// What the views ask of the state behind a thread that is open.

import type { Pending } from './room/lines';
import type { Event, FileView, Message, Thread } from './types';

/** One thread that is open: the part of it that is loaded, and what is being written in it. */
export interface ThreadModel {
  readonly root: number;
  readonly phase: 'loading' | 'ready' | 'failed';
  readonly error: string;
  /** how the user stands to it; undefined: not loaded yet */
  readonly state: Thread | undefined;
  /** the message that it begins with; undefined: it is no longer kept */
  readonly first: Message | undefined;
  /** the replies */
  readonly events: readonly Event[];
  readonly pending: readonly Pending[];
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  readonly busy: boolean;
  draft: string;
  /** what is written next is a line of the room as well */
  broadcast: boolean;
  /** loads the end, or what is around a reply */
  show(around?: number): Promise<void>;
  older(): void;
  newer(): void;
  /** type: media type of the text; nothing: Markdown */
  send(text: string, replyTo?: Message, files?: readonly FileView[], type?: string): void;
  /** the user has read what is loaded */
  markRead(): void;
  /** a reply and those after it are unread again, and stay so while the thread is shown */
  markUnread(seq: number): Promise<void>;
  /** whether looking at the thread leaves it unread: until the user writes, opens it again, or says otherwise */
  keepUnread(kept: boolean): void;
  follow(following: boolean): Promise<void>;
}

/** A thread in the list of those that the user follows. */
export interface FollowedThread extends Thread {
  room: string;
  /** its last reply */
  last: Message;
}
