import { expect, test } from 'vitest';
import type { FleetDevice } from '../fleetport';
import { chartOf, NoChart, spanOf, wantsChart } from './chartcommand';

const device = (id: string, name: string) => ({ id, name }) as unknown as FleetDevice;
const house = device('dev_1', 'Green house');
const shed = device('dev_2', 'Shed');
const both = [house, shed];

test('a chart is asked for by its word alone', () => {
  expect(wantsChart('/chart')).toBe(true);
  expect(wantsChart(' /Chart shed 24h')).toBe(true);
  expect(wantsChart('/charts')).toBe(false);
  expect(wantsChart('see /chart')).toBe(false);
});

test('it names a device, series and a time', () => {
  expect(chartOf('/chart shed', both)).toEqual({ device: shed, series: [], span: 86_400 });
  expect(chartOf('/chart green-house temperature, humidity 7d', both)).toEqual({
    device: house,
    series: ['temperature', 'humidity'],
    span: 604_800,
  });
  expect(chartOf('/chart shed.temperature 90m', both)).toEqual({ device: shed, series: ['temperature'], span: 5400 });
  expect(chartOf('/chart dev_2 24h', both).device).toBe(shed);
});

test('the only device of a room need not be named', () => {
  expect(chartOf('/chart 24h', [shed])).toEqual({ device: shed, series: [], span: 86_400 });
  expect(chartOf('/chart temperature', [shed])).toEqual({ device: shed, series: ['temperature'], span: 86_400 });
});

test('what cannot be charted says why', () => {
  const refused = (text: string, devices = both) => {
    try {
      return chartOf(text, devices);
    } catch (err) {
      return err instanceof NoChart ? [err.reason, err.word] : err;
    }
  };
  expect(refused('/chart barn 24h')).toEqual(['device', 'barn']);
  expect(refused('/chart')).toEqual(['device', '']);
  expect(refused('/chart 24h', [])).toEqual(['device', '']);
  expect(refused('/chart shed 900w')).toEqual(['span', '']);
  expect(refused('/chart shed 0h')).toEqual(['span', '']);
  expect(refused('/chart shed a b c d e')).toEqual(['many', '']);
});

test('times are minutes, hours, days and weeks', () => {
  expect(['5m', '5min', '2h', '1D', '2w', '24', 'h', '1y', ''].map(spanOf)).toEqual([
    300,
    300,
    7200,
    86_400,
    1_209_600,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
