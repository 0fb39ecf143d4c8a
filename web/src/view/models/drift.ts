// The usual thresholds of the population stability index.
import { language } from '../../text/language.svelte';

export type DriftLevel = 'little' | 'some' | 'much';

export const levelOf = (index: number): DriftLevel => (index < 0.1 ? 'little' : index < 0.25 ? 'some' : 'much');

/** The index as people read it: two digits are all that it is good for. */
export const driftOf = (index: number): string =>
  new Intl.NumberFormat(language.locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(index);
