import { language } from '../text/language.svelte';
import { t } from './text';
import { today } from './today.svelte';

type Style = Intl.DateTimeFormatOptions;

/**
 * How hours are counted for who reads a language: in twelves only where the one that
 * they prefer to all does too. English alone says nothing of the clock.
 */
export function hoursFor(locale: string, preferred: readonly string[]): '12' | '24' {
  const twelve = (tag: string) => new Intl.DateTimeFormat(tag, { hour: 'numeric' }).resolvedOptions().hour12 === true;
  return twelve(locale) && preferred.slice(0, 1).every(twelve) ? '12' : '24';
}

const clock: Style = { timeStyle: 'short' };
const full: Style = { dateStyle: 'full', timeStyle: 'medium' };
const short: Style = { dateStyle: 'medium' };
const both: Style = { dateStyle: 'medium', timeStyle: 'short' };
const second: Style = { timeStyle: 'medium' };
const daySecond: Style = { dateStyle: 'short', timeStyle: 'medium' };
const shortDay: Style = { weekday: 'short', timeZone: 'UTC' };
const longDay: Style = { weekday: 'long', timeZone: 'UTC' };
const weekday: Style = { weekday: 'long', day: 'numeric', month: 'long' };
const withYear: Style = { day: 'numeric', month: 'long', year: 'numeric' };

// Formats are made once: making one costs more than using it a thousand times.
let made = new Map<Style, Intl.DateTimeFormat>();
let madeFor = '';

function write(style: Style, at: Moment): string {
  if (madeFor !== language.locale) made = new Map();
  madeFor = language.locale;
  let format = made.get(style);
  if (!format) {
    made.set(style, (format = formatOf(style)));
  }
  return format.format(new Date(at));
}

function formatOf(style: Style): Intl.DateTimeFormat {
  const hours: Style =
    style.timeStyle && hoursFor(language.locale, language.preferred) === '24' ? { hourCycle: 'h23' } : {};
  return new Intl.DateTimeFormat(language.locale, { ...style, ...hours });
}

type Moment = string | number | Date;

export const timeOf = (at: Moment): string => write(clock, at);
export const exactly = (at: Moment): string => write(full, at);
export const dateOf = (at: Moment): string => write(short, at);
export const dateTimeOf = (at: Moment): string => write(both, at);
/** to the second, with the day where that is not today */
export const secondOf = (at: Moment): string => write(daysAgo(at) === 0 ? second : daySecond, at);
/** a weekday, from 1 for Monday to 7: "Mon" */
export const dayOfWeek = (day: number): string => write(shortDay, Date.UTC(2024, 0, day)); // whose first day is one
/** Monday, for 1. */
export const longDayOfWeek = (day: number): string => write(longDay, Date.UTC(2024, 0, day));
/** what the clock shows in a time zone now; an unknown zone is a RangeError */
export const nowIn = (timeZone: string): string => formatOf({ ...clock, timeZone }).format();

/** A moment as a field for a date and a time has it, by the clock of this device: "2026-11-29T19:05". */
export function fieldOf(at: Moment): string {
  const moment = new Date(at);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The day of a moment as a field for a date has it, by the clock of this device: "2026-11-29". */
export const dateField = (at: Moment): string => fieldOf(at).slice(0, 10);

/** The beginning of the day that a field for a date has, on this device; nothing if there is no such day. */
export function dayFrom(field: string): Date | undefined {
  if (!/^\d{4}-\d\d-\d\d$/.test(field)) return undefined;
  const [year = 0, month = 0, day = 0] = field.split('-').map(Number);
  const at = new Date(year, month - 1, day);
  return at.getFullYear() === year && at.getMonth() === month - 1 && at.getDate() === day ? at : undefined;
}

/** A key that is the same for two moments of one local day. */
export function dayKey(at: Moment): string {
  const d = new Date(at);
  return `${d.getFullYear()}-${d.getMonth() + 1}-${d.getDate()}`;
}

/** The local midnight before a moment, in milliseconds since 1970. */
export const dayOf = (at: Moment): number => new Date(at).setHours(0, 0, 0, 0);

function daysAgo(at: Moment): number {
  return Math.round((today.day - dayOf(at)) / 86_400_000);
}

/** The name of a day as a separator shows it. */
export function dayName(at: Moment): string {
  const ago = daysAgo(at);
  if (ago === 0) return t('room.today');
  if (ago === 1) return t('room.yesterday');
  return new Date(at).getFullYear() === new Date().getFullYear() ? write(weekday, at) : write(withYear, at);
}

/** A moment as briefly as a list can say it: a time today, a day before. */
export const briefly = (at: Moment): string => (daysAgo(at) === 0 ? timeOf(at) : dateOf(at));

/** A moment from now or ago: "in 3 hours", "2 days ago". */
export function distance(at: Moment): string {
  const relative = new Intl.RelativeTimeFormat(language.locale, { numeric: 'auto' });
  const seconds = Math.round((new Date(at).getTime() - Date.now()) / 1000);
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ];
  for (const [unit, size] of steps) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return relative.format(Math.round(seconds / 60), 'minute');
}
