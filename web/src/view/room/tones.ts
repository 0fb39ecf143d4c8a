// Reactions by one emoji in several skin tones are counted together: whoever looks asks how many agree, and not with
// whose hand.
import type { Reaction } from '../types';
import { isMine, untoned } from './shownemoji';

/** What is shown as one: with several tones, by the emoji without any. */
export interface Toned extends Reaction {
  /** the emoji without a tone */
  key: string;
  tones: Reaction[];
}

/** The reactions to a message in their order, those by one emoji where the first of them is. */
export function grouped(reactions: readonly Reaction[], me: string): Toned[] {
  const groups = new Map<string, Reaction[]>();
  for (const r of reactions) {
    const key = untoned(r.emoji);
    groups.set(key, [...(groups.get(key) ?? []), r]);
  }
  return [...groups].map(([key, tones]) => {
    const [only] = tones;
    if (only && tones.length === 1) return { ...only, key, tones };
    return { key, emoji: key, count: people(tones), mine: tones.some((r) => isMine(r, me)), tones };
  });
}

/** How many people there are, each once if all are named. */
function people(tones: readonly Reaction[]): number {
  const named = new Set(tones.flatMap((r) => r.users ?? []));
  const sum = tones.reduce((n, r) => n + r.count, 0);
  return tones.every((r) => r.users?.length === r.count) ? named.size : sum;
}

/** The emoji that a click on them toggles: the user's own in each tone, or else the one that is shown. */
export function toToggle(r: Toned, me: string): string[] {
  const own = r.tones.filter((one) => isMine(one, me)).map((one) => one.emoji);
  return own.length ? own : [r.emoji];
}
