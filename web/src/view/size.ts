import { language } from '../text/language.svelte';

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** A number of bytes as people read it: "1.2 GB". */
export function sizeOf(bytes: number): string {
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const unit = units[step] ?? 'byte';
  return new Intl.NumberFormat(language.locale, {
    style: 'unit',
    unit,
    unitDisplay: unit === 'byte' ? 'long' : 'short',
    maximumFractionDigits: bytes < 1000 ? 0 : 1,
  }).format(bytes / 1000 ** step);
}

export const numberOf = (n: number): string => new Intl.NumberFormat(language.locale).format(n);

/** A share as people read it: 0.425 is "42.5 %". */
export const shareOf = (n: number): string =>
  new Intl.NumberFormat(language.locale, { style: 'percent', maximumSignificantDigits: 3 }).format(n);
