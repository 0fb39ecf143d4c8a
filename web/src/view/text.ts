import { enView } from '../text/en-view';

type Values = Record<string, string | number>;

const table: Record<string, string> = enView;
const plural = new Intl.PluralRules('en');

/** The text with this key, filled in. */
export function t(key: string, values: Values = {}): string {
  const form = typeof values['count'] === 'number' ? table[`${key}_${plural.select(values['count'])}`] : undefined;
  const text = form ?? table[key] ?? table[`${key}_other`] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
