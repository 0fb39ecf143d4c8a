const minutes = { never: 0, '30m': 30, '1h': 60, '4h': 240, day: -1 };

/** When a status is cleared: after a while, or at the time that it was given before. */
export type Clear = keyof typeof minutes | 'keep';

export const clears = Object.keys(minutes) as Exclude<Clear, 'keep'>[];

/** The end of a status as ISO 8601; undefined: it stays. */
export function expiryOf(clear: Clear, before: string | undefined, now: number): string | undefined {
  if (clear === 'keep') return before;
  const m = minutes[clear];
  if (m === 0) return undefined;
  const end = m > 0 ? new Date(now + m * 60_000) : new Date(new Date(now).setHours(23, 59, 59, 0));
  return end.toISOString();
}
