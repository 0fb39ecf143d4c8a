import type { Seen } from './port';
import { t } from './text';
import { distance } from './when';

/** Whether somebody, or a device, is there: in a few words. */
export function presenceText(seen: Seen | undefined): string {
  if (seen?.until) return t('presence.until', { when: distance(seen.until) });
  const is = seen?.is ?? 'offline';
  return is === 'offline' && seen?.last_seen
    ? t('presence.seen', { when: distance(seen.last_seen) })
    : t(`presence.${is}`);
}
