import type { IconName } from './Icon.svelte';

/** What stands for a person or a room: a picture, or else an emoji, a letter or initials. */
export interface Face {
  id: string;
  name: string;
  src?: string | undefined;
  /** online, away, dnd, offline; absent: no dot */
  presence?: string | undefined;
  square?: boolean;
  emoji?: string | undefined;
  /** instead of initials */
  letter?: string | undefined;
  /** one of the colours of rooms; absent: one by the id */
  colour?: string | undefined;
  /** in the corner */
  badge?: IconName | undefined;
}
