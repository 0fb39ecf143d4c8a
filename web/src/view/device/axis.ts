import { dateOf, dayKey, secondOf, timeOf } from '../when';

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
