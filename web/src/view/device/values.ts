import { language } from '../../text/language.svelte';
import { t } from '../text';

/** What a sensor says. */
export type Value = number | boolean | string;

/** A value as people read it, with its unit: "21.4 °C". */
export function valueOf(v: Value, precision: number | undefined, unit: string): string {
  if (typeof v === 'boolean') return t(v ? 'value.on' : 'value.off');
  if (typeof v === 'string') return v;
  const number = new Intl.NumberFormat(language.locale, digitsOf(v, precision)).format(v);
  const sign = signOf(unit);
  return sign ? `${number}${sign === '%' || sign === '°' ? sign : `\u202f${sign}`}` : number;
}

/** How a number is rounded: as its sensor says, or else to five digits, of which none before the point is lost. */
function digitsOf(v: number, precision: number | undefined): Intl.NumberFormatOptions {
  if (precision !== undefined) return { minimumFractionDigits: precision, maximumFractionDigits: precision };
  return Math.abs(v) < 10_000 ? { maximumSignificantDigits: 5 } : { maximumFractionDigits: 0 };
}

/** How many decimals the finest of some numbers has, up to five. */
export const decimalsOf = (...numbers: (number | undefined)[]): number =>
  Math.max(...numbers.map((n) => Math.min(5, String(n ?? 0).split('.')[1]?.length ?? 0)));

/** The mean of what was on (1) or off (0): "On", or "40% on". */
export function meanOf(v: number): string {
  if (v === 0 || v === 1) return valueOf(v === 1, undefined, '');
  return t('value.partly', { share: new Intl.NumberFormat(language.locale, { style: 'percent' }).format(v) });
}

// Units as RFC 8428 and RFC 8798 write them, where people write them otherwise.
const signs: Record<string, string> = {
  Cel: '°C',
  '%RH': '%',
  '%EL': '%',
  '/': '',
  m2: 'm²',
  m3: 'm³',
  'm/s2': 'm/s²',
  'm3/s': 'm³/s',
  'ug/m3': 'µg/m³',
  deg: '°',
  lx: 'lx',
  Ohm: 'Ω',
};

/** The sign of a unit: "°C" for "Cel". */
export const signOf = (unit: string): string => signs[unit] ?? unit;
