// How the user arranges their rooms, and which are muted, as this browser knows it from the last time: the list looks
// right at once.

import type { Store } from '../platform/storage.svelte';
import type { Arranged } from '../view/sectionport';

export const arrangedKey = (user: string): string => `unhidra.sections.${user}`;

export function readArranged(store: Store, user: string): Arranged {
  const nothing: Arranged = { version: 0, favourites: { rooms: [] }, sections: [] };
  try {
    return { ...nothing, ...(JSON.parse(store.get(arrangedKey(user)) ?? '{}') as Partial<Arranged>) };
  } catch {
    return nothing;
  }
}

export const mutedKey = (user: string): string => `unhidra.muted.${user}`;

export const readMuted = (store: Store, user: string): ReadonlySet<string> =>
  new Set((store.get(mutedKey(user)) ?? '').split(' ').filter(Boolean));
