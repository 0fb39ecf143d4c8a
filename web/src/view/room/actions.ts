/** What can be done with one message; what is absent is not allowed. */
export interface MessageActions {
  reply?: (() => void) | undefined;
  /** opens the thread of the message */
  thread?: (() => void) | undefined;
  /** gives the message an emoji, or takes it back */
  react?: ((emoji: string) => void) | undefined;
  /** offers all emoji beside something on the screen */
  pick?: ((beside: Element) => void) | undefined;
  edit?: (() => void) | undefined;
  remove?: (() => void) | undefined;
  copyLink?: (() => void) | undefined;
  copyText?: (() => void) | undefined;
  versions?: (() => void) | undefined;
  /** has it and what comes after it be unread again */
  unread?: (() => void) | undefined;
}
