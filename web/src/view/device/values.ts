import { language } from '../../text/language.svelte';
import { t } from '../text';

/** What a sensor says. */
export type Value = number | boolean | string;

/** A value as people read it, with its unit: "21.4 °C". */
export function valueOf(v: Value, precision: number | undefined, unit: string): string {
  if (typeof v === 'boolean') return t(v ? 'value.on' : 'value.off');
  if (typeof v === 'string') return v;
  const digits =
    precision === undefined
      ? { maximumSignificantDigits: 5 }
      : { minimumFractionDigits: precision, maximumFractionDigits: precision };
  const number = new Intl.NumberFormat(language.locale, digits).format(v);
  const sign = signOf(unit);
  return sign ? `${number}${sign === '%' || sign === '°' ? sign : `\u202f${sign}`}` : number;
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
