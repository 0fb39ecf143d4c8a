// What is typed after /remind: "in 20 minutes to call Ben", "tea every weekday at 9:30". `unhidra chat` reads the same
// English words; both are held to internal/phrase/testdata/reminders.json.

import { english, german, type PhraseWords } from './phrasewords';

/** What one is to be reminded of, and when. */
export interface Phrase {
  text: string;
  /** from now */
  minutes?: number;
  /** as the clock shows it: "2026-12-24T18:00" */
  at?: string;
  /** a time of day, on days of the week: 1 is Monday; or on a day of each month, of which 31 is the last one */
  time?: string;
  weekdays?: number[];
  month_day?: number;
}

/** Says what is wrong with what is typed. */
export class NoPhrase extends Error {
  readonly reason: 'unclear' | 'nothing' | 'over' | 'far' | 'others';

  constructor(reason: NoPhrase['reason']) {
    super(reason);
    this.reason = reason;
  }
}

/** A time as words name it. Days are those since 1970, times of day are minutes. */
interface Named {
  minutes?: number;
  days?: number;
  day?: number;
  /** days after which it comes if it is over, and whether it comes in a year */
  moves: number;
  yearly?: boolean;
  part?: number;
  clock?: number;
  /** the clock says which half of the day */
  exact?: boolean;
  weekdays?: number[];
  month?: number;
}

const dayLength = 1440; // minutes
const farthest = 366 * dayLength;
const nth = /^(\d{1,2})(?:st|nd|rd|th)?$/u;
const longest = 16; // words of a time after the text

/** Reads what is typed when the clock shows now: "2026-11-27T14:05". Throws NoPhrase. */
export function readPhrase(typed: string, now: string, language: string): Phrase {
  const all = language.startsWith('de') ? [german, english] : [english];
  let refused = new NoPhrase('unclear');
  for (const words of all) {
    try {
      return new Reader(typed, now, words).read();
    } catch (err) {
      if (!(err instanceof NoPhrase)) throw err;
      if (err.reason !== 'unclear') refused = err;
    }
  }
  throw refused;
}

class Reader {
  readonly #typed: string;
  readonly #is: PhraseWords;
  readonly #words: readonly string[];
  readonly #places: readonly { from: number; to: number }[];
  /** minutes since 1970, as if the clock showed UTC */
  readonly #now: number;
  readonly #today: number;

  constructor(typed: string, now: string, is: PhraseWords) {
    const found = [...typed.matchAll(/\S+/gu)];
    this.#typed = typed;
    this.#is = is;
    this.#words = found.map(([word]) => without(word.toLowerCase(), ',;:.!'));
    this.#places = found.map(({ 0: word, index }) => ({ from: index, to: index + word.length }));
    this.#now = Date.parse(`${now}Z`) / 60_000;
    this.#today = Math.floor(this.#now / dayLength);
  }

  read(): Phrase {
    const first = this.#is.me.includes(this.#word(0)) ? 1 : 0;
    const n = this.#words.length;
    if (/^@./u.test(this.#word(first))) throw new NoPhrase('others');
    let found = this.#when(first);
    let [from, to] = [found?.next ?? n, n];
    for (let i = Math.max(first + 1, n - longest); !found && i < n; i++) {
      const at = this.#when(i);
      if (at?.next === n) [found, from, to] = [at, first, i];
    }
    if (!found) throw new NoPhrase('unclear');
    if (from < to && this.#is.lead.includes(this.#word(from))) from++;
    if (from === to) throw new NoPhrase('nothing');
    const text = this.#typed.slice(this.#places[from]!.from, this.#places[to - 1]!.to);
    return { text: to < n ? without(text, ',;: ') : text, ...this.#time(found.named) };
  }

  #word(i: number): string {
    return this.#words[i] ?? '';
  }

  /** Reads a time from a word on. next is the word after it. */
  #when(i: number): { named: Named; next: number } | undefined {
    const w: Named = { moves: 0 };
    if (this.#word(i) === this.#is.in) {
      const next = this.#amounts(i + 1, w);
      return next > i + 1 ? { named: w, next: w.minutes ? next : this.#clock(next, w) } : undefined;
    }
    const before = this.#clock(i, w);
    let next = this.#eachMonth(before, w);
    if (next === before) next = this.#every(before, w);
    if (next === before) next = this.#date(before, w);
    if (next > before) {
      const part = this.#is.parts[this.#word(next)];
      if (part !== undefined) {
        w.part = part;
        next++;
      }
      if (w.clock === undefined) next = this.#clock(next, w);
    }
    return next > i ? { named: w, next } : undefined;
  }

  /** Reads lengths of time: "20 minutes", "1h30m", "half an hour". */
  #amounts(i: number, w: Named): number {
    let next = i;
    for (;;) {
      const after = this.#amount(i, w);
      if (after === i) return next;
      next = i = after;
      if (this.#word(i) === this.#is.and) i++;
    }
  }

  #amount(i: number, w: Named): number {
    // "half an hour", "einer halben Stunde"
    const few = [this.#word(i), this.#word(i + 1)];
    const half = few.some((word) => this.#is.half.includes(word)) && few.some((word) => word in this.#is.numbers);
    const number = this.#is.numbers[few[0]!];
    if (half) return this.#add(w, 0.5, this.#word(i + 2)) ? i + 3 : i;
    if (number) return this.#add(w, number, few[1]!) ? i + 2 : i;
    let rest = few[0]!;
    let next = i + 1;
    do {
      const [whole, digits = '', unit = ''] = /^(\d{1,5}(?:[.,]\d{1,3})?)(\p{L}*)/u.exec(rest) ?? [];
      if (whole === undefined) return i;
      rest = rest.slice(whole.length);
      const apart = !unit && !rest;
      if (!this.#add(w, Number(digits.replace(',', '.')), apart ? this.#word(next) : unit)) return i;
      if (apart) next++;
    } while (rest);
    return next;
  }

  #add(w: Named, number: number, unit: string): boolean {
    const length = this.#is.units[unit];
    if (!length) return false;
    const days = (number * length) / dayLength;
    w.days ??= 0;
    if (length >= dayLength && Number.isInteger(days)) w.days += days;
    else w.minutes = (w.minutes ?? 0) + number * length;
    return true;
  }

  /** Reads a time of day: "at 9", "9:30 pm", "um 9 Uhr 30". */
  #clock(i: number, w: Named): number {
    let named = this.#is.at.includes(this.#word(i));
    let next = named ? i + 1 : i;
    if (this.#is.noon.includes(this.#word(next))) {
      [w.clock, w.exact] = [dayLength / 2, true];
      return next + 1;
    }
    const m = /^(\d{1,2})(?:([:.])(\d{2}))?(am|pm)?$/u.exec(this.#word(next));
    if (!m) return i;
    next++;
    let [, hours, mark, minutes, half] = m;
    const after = this.#word(next);
    if (!half && this.#is.halves.includes(after)) {
      half = after;
      next++;
    } else if (this.#is.oclock.includes(after)) {
      named = true;
      next++;
      if (!mark && /^\d{2}$/u.test(this.#word(next))) minutes = this.#word(next++);
    }
    let hour = Number(hours);
    if (half) {
      if (hour < 1 || hour > 12) return i;
      hour = (hour % 12) + (half === 'pm' ? 12 : 0);
    }
    const minute = Number(minutes ?? 0);
    if (hour > 23 || minute > 59 || (!named && !half && mark !== ':')) return i;
    w.clock = hour * 60 + minute;
    w.exact = Boolean(half);
    return next;
  }

  /** Reads days of the week: "every weekday", "every mon, wed and fri". What is a part of the day is left. */
  #every(i: number, w: Named): number {
    if (this.#is.daily.includes(this.#word(i))) {
      w.weekdays = [1, 2, 3, 4, 5, 6, 7];
      return i + 1;
    }
    if (!this.#is.every.includes(this.#word(i))) return i;
    const word = this.#word(i + 1);
    if (word in this.#is.parts || word === this.#is.day) w.weekdays = [1, 2, 3, 4, 5, 6, 7];
    else if (this.#is.weekday.includes(word)) w.weekdays = [1, 2, 3, 4, 5];
    else if (word === this.#is.weekend) w.weekdays = [6, 7];
    if (w.weekdays) return word in this.#is.parts ? i + 1 : i + 2;
    const days: number[] = [];
    let next = i;
    for (let at = i + 1, day; (day = this.#weekday(this.#word(at), true)); ) {
      days.push(day);
      next = at + 1;
      at = this.#word(next) === this.#is.and ? next + 1 : next;
    }
    if (days.length) w.weekdays = [...new Set(days)].sort((a, b) => a - b);
    return next;
  }

  /** Reads a day of each month: "every month on the 15th", "monthly on the last day", "the 1st of every month". */
  #eachMonth(i: number, w: Named): number {
    const first = this.#months(i);
    let next = first;
    if (this.#is.on.includes(this.#word(next))) next++;
    if (this.#word(next) === 'the') next++;
    let day = Number(nth.exec(this.#word(next))?.[1] ?? 0);
    if (this.#is.last.includes(this.#word(next)) && this.#word(next + 1) === this.#is.day) {
      day = 31;
      next++;
    }
    next++;
    if (first === i) {
      if (this.#word(next) === 'of') next++;
      const after = this.#months(next);
      if (after === next) return i;
      next = after;
    }
    if (day < 1 || day > 31) return i;
    w.month = day;
    return next;
  }

  /** Reads "every month" and "monthly". */
  #months(i: number): number {
    const word = this.#word(i);
    if (word === this.#is.monthly) return i + 1;
    return this.#is.every.includes(word) && this.#is.month.includes(this.#word(i + 1)) ? i + 2 : i;
  }

  /** The number of a day of the week; 0: it is none. */
  #weekday(word: string, short: boolean): number {
    return this.#is.week.indexOf(word) + 1 || (short ? this.#is.short.findIndex((s) => s.includes(word)) + 1 : 0);
  }

  /** Reads a day: "tomorrow", "next monday", "2026-12-24", "24 December". */
  #date(i: number, w: Named): number {
    const { days, parts, on, next: later } = this.#is;
    const lead = this.#word(i);
    const today = this.#is.this.includes(lead);
    if (today && this.#word(i + 1) in parts) {
      w.day = this.#today;
      return i + 1;
    }
    if (lead in days) {
      w.day = this.#today + days[lead]!;
      if (lead === this.#is.tonight) w.part = parts['evening']!;
      return i + 1;
    }
    let next = today || on.includes(lead) || later.includes(lead) ? i + 1 : i;
    if (this.#word(next) === 'the') next++;
    const word = this.#word(next);
    const weekday = this.#weekday(word, next > i);
    if (weekday) {
      const ahead = (weekday - 1 - ((this.#today + 3) % 7) + 7) % 7; // 1970 began on a Thursday
      w.moves = 7;
      w.day = this.#today + (ahead || (later.includes(lead) ? 7 : 0));
      return next + 1;
    }
    const iso = /^(\d{4})-(\d{2})-(\d{2})$/u.exec(word);
    if (iso) return this.#numbered(w, iso[1], iso[2], iso[3]) ? next + 1 : i;
    const dots = /^(\d{1,2})\.(\d{1,2})(?:\.(\d{4}))?$/u.exec(word);
    if (dots && this.#is.dots) return this.#numbered(w, dots[3], dots[2], dots[1]) ? next + 1 : i;
    return this.#monthly(i, next, w);
  }

  /** Reads a day with the name of its month: "24 December", "December 24th, 2026". */
  #monthly(i: number, next: number, w: Named): number {
    let [month, number] = [this.#word(next), this.#word(next + 1)];
    if (nth.test(month)) {
      if (number === 'of') number = this.#word(++next + 1);
      [month, number] = [number, month];
    }
    const day = nth.exec(number)?.[1];
    const at = this.#is.months.findIndex((name) => [name, name.slice(0, 3), name.slice(0, 4)].includes(month));
    if (!day || at < 0) return i;
    next += 2;
    const year = /^\d{4}$/u.test(this.#word(next)) ? this.#word(next++) : undefined;
    return this.#numbered(w, year, String(at + 1), day) ? next : i;
  }

  /** Sets a day, if there is one; without a year it is the next one. */
  #numbered(w: Named, year: string | undefined, month = '', day = ''): boolean {
    const at = new Date(Date.UTC(Number(year ?? written(this.#now).slice(0, 4)), Number(month) - 1, Number(day)));
    w.day = Math.floor(at.getTime() / 86_400_000);
    w.yearly = year === undefined;
    return at.getUTCDate() === Number(day) && at.getUTCMonth() === Number(month) - 1;
  }

  /** The time that words name. Without a time of day it is the one of the part of the day, or nine o'clock. */
  #time(w: Named): Omit<Phrase, 'text'> {
    let clock = w.clock ?? (w.part ?? 9) * 60;
    if ((w.part ?? 0) >= 12 && clock < dayLength / 2 && !w.exact) clock += dayLength / 2; // "tonight at 8"
    if (w.month) return { time: written(clock).slice(11), month_day: w.month };
    if (w.weekdays) return { time: written(clock).slice(11), weekdays: w.weekdays };
    let at: number;
    if (w.minutes) at = this.#now + (w.days ?? 0) * dayLength + w.minutes;
    else if (w.days !== undefined)
      at = w.clock === undefined ? this.#now + w.days * dayLength : (this.#today + w.days) * dayLength + clock;
    else at = this.#next(w, clock);
    if (at <= this.#now) throw new NoPhrase('over');
    if (at > this.#now + farthest) throw new NoPhrase('far');
    return w.minutes ? { minutes: at - this.#now } : { at: written(at) };
  }

  /** The day that is named, or a time of day alone, when it comes next. */
  #next(w: Named, clock: number): number {
    const at = (w.day ?? this.#today) * dayLength + clock;
    if (at > this.#now) return at;
    if (!w.yearly) return at + (w.day === undefined ? 1 : w.moves) * dayLength;
    const date = written(at);
    return Date.parse(`${Number(date.slice(0, 4)) + 1}${date.slice(4)}Z`) / 60_000;
  }
}

/** Minutes since 1970 as a clock shows them: "2026-12-24T18:00". */
const written = (minutes: number): string => new Date(minutes * 60_000).toISOString().slice(0, 16);

/** A text without the marks that it ends with. */
function without(text: string, marks: string): string {
  let end = text.length;
  while (end && marks.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}
