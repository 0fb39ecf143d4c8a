import { reasonOf } from '../failure';
import type { MenuItem } from '../kit/Menu.svelte';
import type { RoomModel } from '../port';
import { overlay } from '../ui.svelte';
import type { Task } from './markdown';
import type { PollActions } from './PollCard.svelte';

/** What saves a message for the user, or takes it off the saved ones. */
export type Save = NonNullable<MenuItem> & { mark: string };

/** What can be done with one message; what is absent is not allowed. */
export interface MessageActions {
  reply?: (() => void) | undefined;
  /** opens the thread of the message */
  thread?: (() => void) | undefined;
  /** gives the message an emoji, or takes it back */
  react?: ((emoji: string) => void) | undefined;
  /** offers all emoji beside something on the screen */
  pick?: ((beside: Element) => void) | undefined;
  /** pins the message, or takes it off the pinned ones; pinned: undefined as long as that is not known */
  pin?: { pinned: boolean | undefined; toggle: () => void } | undefined;
  /** absent: not known yet; mark: what says that it is saved */
  save?: Save | undefined;
  /** asks when to remind the user of it */
  remind?: (() => void) | undefined;
  /** asks where to forward it */
  forward?: (() => void) | undefined;
  /** absent: it is no poll */
  poll?: PollActions | undefined;
  /** the actions are offered on the screen now */
  offered?: (() => void) | undefined;
  edit?: (() => void) | undefined;
  /** marks a task as done or not, and says whether that worked */
  tick?: ((task: Task, done: boolean) => Promise<boolean>) | undefined;
  remove?: (() => void) | undefined;
  copyLink?: (() => void) | undefined;
  copyText?: (() => void) | undefined;
  versions?: (() => void) | undefined;
  /** tells those who moderate of it */
  report?: (() => void) | undefined;
  /** has it and what comes after it be unread again */
  unread?: (() => void) | undefined;
}

/** What ticks tasks of the message with the number seq. Why that failed is said. */
export function ticker(model: Pick<RoomModel, 'tick'>, seq: number) {
  return async (task: Task, done: boolean): Promise<boolean> => {
    try {
      await model.tick(seq, task.n, task.text, done);
      return true;
    } catch (err) {
      overlay.say(reasonOf(err), true);
      return false;
    }
  };
}
