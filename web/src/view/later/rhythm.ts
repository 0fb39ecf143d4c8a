import { dayNames } from '../device/weekdays';
import type { Repeat } from '../laterport';
import { t } from '../text';

/** When something comes again and again, with the zone if it is another one than that of the device. */
export function rhythmOf(r: Repeat): string {
  const zone = r.zone === Intl.DateTimeFormat().resolvedOptions().timeZone ? '' : ` (${r.zone})`;
  return `${r.weekdays.length === 7 ? t('later.daily') : dayNames(r.weekdays)} · ${r.time}${zone}`;
}
