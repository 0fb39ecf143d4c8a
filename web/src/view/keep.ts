// How long messages are kept, in words.

import { t } from './text';
import type { Keep, KeepOf, RetentionRules } from './types';

export function keepText(k: KeepOf): string {
  if (k.server) return t('keep.server');
  if (k.days && k.lines)
    return t('keep.both', { days: t('keep.days', { count: k.days }), lines: t('keep.lines', { count: k.lines }) });
  if (k.days) return t('keep.days', { count: k.days });
  if (k.lines) return t('keep.lines', { count: k.lines });
  return t('keep.all');
}

/** What counts for a room that chose this: the server's bounds do, whatever it chose. */
export function keptOf(own: Keep | undefined, rules: RetentionRules): Keep {
  const k = { ...(own ?? rules.default) };
  if (k.days) k.days = Math.max(k.days, rules.min_days);
  if (rules.max_days && (!k.days || k.days > rules.max_days)) k.days = rules.max_days;
  return k;
}

/** Whether a room may choose to keep its messages for so many days; 0: for good. */
export const allowed = (days: number, rules: RetentionRules): boolean =>
  days === 0 ? rules.max_days === 0 : days >= rules.min_days && (rules.max_days === 0 || days <= rules.max_days);
