import { dateOf, dayKey, secondOf, timeOf } from '../when';

/** The part of the axis of values for a line that is flat; undefined for any other. */
export function axisRange(min: number | null, max: number | null): [number, number] | undefined {
  if (min === null || max === null) return [0, 1];
  if (min !== max) return undefined;
  const room = Math.abs(min) / 10 || 1;
  return [min - room, max + room];
}

/** What stands at the marks of an axis of times, in seconds since 1970, which are step seconds apart. */
export function axisTimes(at: readonly number[], step: number): string[] {
  let day = '';
  return at.map((s) => {
    const ms = s * 1000;
    if (step >= 86_400) return dateOf(ms);
    const today = dayKey(ms);
    const text = today !== day && day !== '' ? dateOf(ms) : step < 60 ? secondOf(ms) : timeOf(ms);
    day = today;
    return text;
  });
}
