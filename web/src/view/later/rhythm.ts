import { language } from '../../text/language.svelte';
import type { Repeat } from '../laterport';
import { t } from '../text';
import { dayOfWeek, longDayOfWeek } from '../when';

/** What comes again: on all days, on working days, on a day of the week, on some, or on a day of each month. */
export const rhythms = ['never', 'daily', 'workdays', 'weekly', 'days', 'monthly'] as const;
export type Rhythm = (typeof rhythms)[number];

const everyDay = [1, 2, 3, 4, 5, 6, 7];
const workdays = [1, 2, 3, 4, 5];
const same = (a: readonly number[], b: readonly number[]) => a.join() === b.join();

/** When what comes first at a time, such as 2026-12-24T18:00, comes again; undefined: not at all. */
export function repeatOf(rhythm: Rhythm, when: string, days: readonly number[], zone: string): Repeat | undefined {
  const common = { zone, time: when.slice(11, 16) };
  const day = new Date(`${when.slice(0, 10)}T00:00Z`);
  if (rhythm === 'daily') return { ...common, weekdays: everyDay };
  if (rhythm === 'workdays') return { ...common, weekdays: workdays };
  if (rhythm === 'weekly') return { ...common, weekdays: [day.getUTCDay() || 7] };
  if (rhythm === 'monthly') return { ...common, month_day: day.getUTCDate() };
  return rhythm === 'days' && days.length ? { ...common, weekdays: days.toSorted((a, b) => a - b) } : undefined;
}

/** What one has chosen who has chosen r. */
export function rhythmIn(r: Repeat | undefined): Rhythm {
  if (!r) return 'never';
  const { weekdays: days = [], month_day } = r;
  if (month_day) return 'monthly';
  if (same(days, everyDay)) return 'daily';
  if (same(days, workdays)) return 'workdays';
  return days.length === 1 ? 'weekly' : 'days';
}

/** When something comes again and again: "every Monday at 09:00", with the zone if this device has another one. */
export function rhythmOf(r: Repeat): string {
  const zone = r.zone === Intl.DateTimeFormat().resolvedOptions().timeZone ? '' : ` (${r.zone})`;
  return `${words(r)}${zone}`;
}

function words(r: Repeat): string {
  const { time, weekdays: days = [], month_day: day } = r;
  if (day) return t(day === 31 ? 'later.every-month-end' : 'later.every-month', { day, time });
  const rhythm = rhythmIn(r);
  if (rhythm === 'daily') return t('later.every-day', { time });
  if (rhythm === 'workdays') return t('later.every-workday', { time });
  const names = days.map((d) => days.length === 1 ? longDayOfWeek(d) : dayOfWeek(d));
  return t('later.every-days', { days: new Intl.ListFormat(language.locale).format(names), time });
}
