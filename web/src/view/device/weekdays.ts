import { dayOfWeek } from '../when';

/** Some weekdays, in their order: "Mon, Tue". */
export const dayNames = (days: readonly number[]): string =>
  days
    .toSorted((a, b) => a - b)
    .map(dayOfWeek)
    .join(', ');
