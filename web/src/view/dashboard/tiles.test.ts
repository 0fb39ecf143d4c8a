import { expect, test } from 'vitest';
import type { FleetDevice } from '../fleetport';
import { tileName } from './tiles';

const device = {
  id: 'dev_1',
  name: 'Shed',
  capabilities: { sensors: [{ name: 'temp', title: 'Temperature', kind: 'number' }], actuators: [{ name: 'fan' }] },
} as unknown as FleetDevice;

test('a tile is called as somebody has named it, or as its device does', () => {
  expect(tileName({ kind: 'value', device: 'dev_1', series: 'temp' }, device)).toBe('Shed · Temperature');
  expect(tileName({ kind: 'switch', device: 'dev_1', action: 'fan' }, device)).toBe('Shed · fan');
  expect(tileName({ kind: 'chart', device: 'dev_1', series: 'temp', title: 'Bees' }, device)).toBe('Bees');
  expect(tileName({ kind: 'chart', device: 'dev_2', series: 'temp' }, undefined)).toBe('temp');
});
