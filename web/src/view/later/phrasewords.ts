// The words by which times are named after /remind.

/** The words of a language, in lower case and without the marks that end them. */
export interface PhraseWords {
  /** oneself, and what may stand before the text */
  me: string[];
  lead: string[];
  in: string;
  and: string;
  /** before a time of day, and after one */
  at: string[];
  oclock: string[];
  halves: string[];
  noon: string[];
  /** numbers, and units in minutes */
  numbers: Record<string, number>;
  half: string[];
  units: Record<string, number>;
  /** before a day: of any one, of one that is not today, of today */
  on: string[];
  next: string[];
  this: string[];
  /** days from today, and parts of the day by their hour */
  days: Record<string, number>;
  tonight: string;
  parts: Record<string, number>;
  /** Monday is first */
  week: string[];
  short: string[][];
  months: string[];
  every: string[];
  daily: string[];
  monthly: string;
  month: string[];
  last: string[];
  weekday: string[];
  weekend: string;
  day: string;
  /** whether 24.12. is a day */
  dots: boolean;
}

const units = (words: [number, string][]): Record<string, number> =>
  Object.fromEntries(words.flatMap(([minutes, names]) => names.split(' ').map((name) => [name, minutes])));

export const english: PhraseWords = {
  me: ['me'],
  lead: ['to', 'that', 'about'],
  in: 'in',
  and: 'and',
  at: ['at', '@'],
  oclock: ["o'clock", 'o’clock'],
  halves: ['am', 'pm'],
  noon: ['noon'],
  numbers: { a: 1, an: 1, one: 1 },
  half: ['half'],
  units: units([
    [1, 'm min mins minute minutes'],
    [60, 'h hr hrs hour hours'],
    [1440, 'd day days'],
    [10_080, 'w week weeks'],
  ]),
  on: ['on'],
  next: ['next'],
  this: ['this'],
  days: { today: 0, tonight: 0, tomorrow: 1 },
  tonight: 'tonight',
  parts: { morning: 9, afternoon: 15, evening: 19 },
  week: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'],
  short: [['mon'], ['tue', 'tues'], ['wed'], ['thu', 'thur', 'thurs'], ['fri'], ['sat'], ['sun']],
  months: 'january february march april may june july august september october november december'.split(' '),
  every: ['every', 'each'],
  daily: ['daily'],
  monthly: 'monthly',
  month: ['month'],
  last: ['last'],
  weekday: ['weekday', 'workday'],
  weekend: 'weekend',
  day: 'day',
  dots: false,
};

export const german: PhraseWords = {
  me: ['mich'],
  lead: ['an', 'daran', 'dass', 'zu'],
  in: 'in',
  and: 'und',
  at: ['um', 'gegen'],
  oclock: ['uhr'],
  halves: [],
  noon: ['mittag', 'mittags'],
  numbers: { ein: 1, eine: 1, einem: 1, einen: 1, einer: 1 },
  half: ['halbe', 'halben'],
  units: units([
    [1, 'm min minute minuten'],
    [60, 'h std stunde stunden'],
    [1440, 't tag tage tagen'],
    [10_080, 'w woche wochen'],
  ]),
  on: ['am', 'den'],
  next: ['nächsten', 'kommenden'],
  this: ['heute', 'diesen'],
  days: { heute: 0, morgen: 1, übermorgen: 2 },
  tonight: '',
  parts: { morgen: 9, früh: 9, vormittag: 9, mittag: 12, nachmittag: 15, abend: 19 },
  week: ['montag', 'dienstag', 'mittwoch', 'donnerstag', 'freitag', 'samstag', 'sonntag'],
  short: [['mo'], ['di'], ['mi'], ['do'], ['fr'], ['sa', 'sonnabend'], ['so']],
  months: 'januar februar märz april mai juni juli august september oktober november dezember'.split(' '),
  every: ['jeden', 'jedes', 'jede'],
  daily: ['täglich'],
  monthly: 'monatlich',
  month: ['monat', 'monats'],
  last: ['letzten'],
  weekday: ['werktag', 'arbeitstag'],
  weekend: 'wochenende',
  day: 'tag',
  dots: true,
};
