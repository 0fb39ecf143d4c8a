import type { FleetDevice, Tile } from '../fleetport';
import { t } from '../text';

/** What a tile is called: as somebody has named it, or as its device calls what it shows. */
export function tileName(tile: Tile, device: FleetDevice | undefined): string {
  if (tile.title) return tile.title;
  if (tile.kind === 'alarms') return t('alarm.title');
  const can = device?.capabilities;
  const of =
    tile.kind === 'switch'
      ? can?.actuators?.find((a) => a.name === tile.action)
      : can?.sensors?.find((s) => s.name === tile.series);
  const what = of?.title || tile.action || tile.series || '';
  return device ? `${device.name} · ${what}` : what;
}
