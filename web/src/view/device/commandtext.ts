import { numberOf } from '../size';
import { t } from '../text';
import type { BatchCounts } from '../types';
import { valueOf } from './values';

/** What a device was told, in one line: "fan off", "light on=on brightness=50", as one may type it after a slash. */
export function commandText(c: { action: string; args?: unknown }): string {
  const args = Object.entries(c.args ?? {});
  const said = args.map(([name, v]) => (args.length > 1 ? `${name}=${argText(v)}` : argText(v)));
  return [c.action, ...said].join(' ');
}

function argText(v: unknown): string {
  if (typeof v === 'boolean') return t(v ? 'command.on' : 'command.off');
  if (typeof v === 'number') return valueOf(v, undefined, '');
  return typeof v === 'string' ? v : JSON.stringify(v);
}

/** How far a command to a group has come: "8 of 12 done, 1 failed". */
export function batchText(c: BatchCounts): string {
  const parts = [
    ['open', c.pending + c.delivered],
    ['failed', c.failed + c.expired + c.cancelled],
    ['refused', c.refused],
  ] as const;
  return [
    t('batch.done', { done: numberOf(c.done), of: numberOf(c.devices) }),
    ...parts.filter(([, n]) => n > 0).map(([what, n]) => t(`batch.${what}`, { n: numberOf(n) })),
  ].join(', ');
}
