// The times that are offered for later, by the clock of this device.

export interface Offer {
  text: 'later.soon' | 'later.hour' | 'later.evening' | 'later.tomorrow' | 'later.monday';
  at: Date;
}

/** soon: in minutes, too */
export function offers(now: Date, soon: boolean): Offer[] {
  const on = (days: number, hour: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour, 0, 0, 0);
  const minutes = (n: number) => new Date(now.getTime() + n * 60_000);
  const monday = (8 - now.getDay()) % 7 || 7;
  return [
    ...(soon
      ? [
          { text: 'later.soon', at: minutes(20) } as const,
          { text: 'later.hour', at: minutes(60) } as const,
        ]
      : []),
    ...(now.getHours() < 18 ? [{ text: 'later.evening', at: on(0, 19) } as const] : []),
    { text: 'later.tomorrow', at: on(1, 9) },
    ...(monday > 1 ? [{ text: 'later.monday', at: on(monday, 9) } as const] : []),
  ];
}

/** How a time is repeated: not at all, or on these days of the week. */
export const rhythms = { never: [], daily: [1, 2, 3, 4, 5, 6, 7], workdays: [1, 2, 3, 4, 5], weekly: undefined };

/** The days of the week on which what comes at a time comes again. */
export function daysOf(rhythm: keyof typeof rhythms, at: Date): number[] {
  return rhythms[rhythm] ?? [at.getDay() || 7];
}
