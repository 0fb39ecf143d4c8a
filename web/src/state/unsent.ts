// What somebody has written that only this browser has: drafts, messages on their
// way, and files that no message has yet. Of several people at one browser, each has their own.

import type { Store } from '../platform/storage.svelte';

export const outboxKeys = (user: string): string => `unhidra.outbox.${user}.`;
export const draftKeys = (user: string): string => `unhidra.draft.${user}.`;
/** which drafts the server has, and in which versions */
export const draftsKey = (user: string): string => `unhidra.drafts.${user}`;
/** what was read while there was no way to the server */
export const marksKey = (user: string): string => `unhidra.marks.${user}`;
export const uploadKeys = (user: string): string => `unhidra.upload.${user}.`;

const kept = (store: Store, user: string): string[] => [
  ...store.keys(outboxKeys(user)),
  ...store.keys(draftKeys(user)),
  ...store.keys(uploadKeys(user)),
];

/** How many drafts, messages and files of a user are only here. */
export const unsentOf = (store: Store, user: string): number => kept(store, user).length;

/** Forgets them: whoever comes next to this browser must not find them. */
export function forgetUnsent(store: Store, user: string): void {
  for (const key of [...kept(store, user), draftsKey(user), marksKey(user)]) store.remove(key);
}
