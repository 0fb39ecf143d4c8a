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
