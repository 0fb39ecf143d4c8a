import type { DeviceStatus, FleetDevice, Live, Sensor } from '../fleetport';
import { language } from '../../text/language.svelte';
import { t } from '../text';
import { distance } from '../when';

const fresh = 60_000; // after a value, the device is there

/** Whether a device has just said something. */
export function reports(live: ReadonlyMap<string, Live> | undefined): boolean {
  return [...(live?.values() ?? [])].some((v) => Date.now() - v.at < fresh);
}

/** Whether a device is there now: one that is asleep is offline when it does not come back in time. */
export function presenceOf(status: DeviceStatus | undefined): DeviceStatus['state'] {
  if (status?.state === 'asleep' && status.until && Date.parse(status.until) <= Date.now()) return 'offline';
  return status?.state ?? 'offline';
}

/** How a device stands, in a few words. */
export function stateOf(
  d: FleetDevice,
  status: DeviceStatus | undefined,
  live: ReadonlyMap<string, Live> | undefined,
): string {
  if (d.revoked_at) return t('devices.revoked');
  if (d.suspended_at) return t('device.suspended');
  switch (presenceOf(status)) {
    case 'online':
      return t(reports(live) ? 'device.reports' : 'presence.online');
    case 'asleep':
      return status?.until ? t('presence.until', { when: distance(status.until) }) : t('presence.asleep');
  }
  if (status) return t('device.gone', { when: distance(status.since) });
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
