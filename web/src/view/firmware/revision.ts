import type { Revision } from '../firmwareport';
import type { RolloutPause } from '../types';

/** A revision of a chip as its maker writes it: 103 is 1.3. */
export const revisionOf = (n: number): string => `${Math.floor(n / 100)}.${n % 100}`;

/** What somebody types for a revision, as the server takes it: 1.3 is 103, nothing is 0. undefined: it is none. */
export function revisionCode(typed: string): number | undefined {
  const text = typed.trim();
  if (!text) return 0;
  const [, major, minor] = /^(\d{1,3})(?:\.(\d{1,2}))?$/u.exec(text) ?? [];
  const code = Number(major) * 100 + Number(minor ?? 0);
  return code <= 65535 ? code : undefined;
}

const likely = 0.2; // the greatest chance with which a revision is worth a look, as docs/rollouts.md has it

/** The revision that a pause may be for: it stands out, and hardly by chance. It may be left out by a button. */
export const suspectOf = (p: RolloutPause): Revision | undefined =>
  (p.chance ?? 0) <= likely ? p.revision : undefined;
