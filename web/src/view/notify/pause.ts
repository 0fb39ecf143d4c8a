// How long notifications may be paused.

export const pauses = ['hour', 'morning', 'week'] as const;
export type Pause = (typeof pauses)[number];

/** When a pause ends that begins now: the morning is that of tomorrow, at eight by the clocks here. */
export function endOf(pause: Pause, now: Date): Date {
  const end = new Date(now);
  if (pause === 'hour') end.setTime(end.getTime() + 3_600_000);
  if (pause === 'week') end.setDate(end.getDate() + 7);
  if (pause === 'morning') {
    end.setDate(end.getDate() + 1);
    end.setHours(8, 0, 0, 0);
  }
  return end;
}
