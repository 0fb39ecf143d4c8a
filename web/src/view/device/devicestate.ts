import type { FleetDevice, Live, Sensor } from '../fleetport';
import { language } from '../../text/language.svelte';
import { t } from '../text';
import { distance } from '../when';

const fresh = 60_000; // after a value, the device is there

/** Whether a device has just said something. */
export function reports(live: ReadonlyMap<string, Live> | undefined): boolean {
  return [...(live?.values() ?? [])].some((v) => Date.now() - v.at < fresh);
}

/** How a device stands, in a few words. */
export function stateOf(d: FleetDevice, live: ReadonlyMap<string, Live> | undefined): string {
  if (d.revoked_at) return t('devices.revoked');
  if (d.suspended_at) return t('device.suspended');
  if (reports(live)) return t('device.reports');
  if (d.away_until) return t('device.away', { when: distance(d.away_until) });
  // When it last connected is written a while later.
  const seen = d.last_used ?? d.described_at;
  return seen ? t('presence.seen', { when: distance(seen) }) : t('devices.unused');
}

/** In the order in which a device declares its sensors; others after them. */
export function inOrder<T extends { name: string }>(all: readonly T[], sensors: readonly Sensor[]): T[] {
  const rank = (one: T) => sensors.findIndex((s) => s.name === one.name) >>> 0;
  return all.toSorted((a, b) => rank(a) - rank(b));
}

/** A length of time: "5 minutes". */
export function lengthOf(seconds: number): string {
  const [unit, size] = (
    [
      ['day', 86_400],
      ['hour', 3600],
      ['minute', 60],
    ] as const
  ).find(([, n]) => seconds >= n && seconds % n === 0) ?? ['second', 1];
  return new Intl.NumberFormat(language.locale, { style: 'unit', unit, unitDisplay: 'long' }).format(seconds / size);
}
