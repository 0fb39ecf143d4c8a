/** What can be done with one message; what is absent is not allowed. */
export interface MessageActions {
  reply?: (() => void) | undefined;
  edit?: (() => void) | undefined;
  remove?: (() => void) | undefined;
  copyLink?: (() => void) | undefined;
  copyText?: (() => void) | undefined;
  versions?: (() => void) | undefined;
}
