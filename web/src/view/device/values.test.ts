import { expect, test } from 'vitest';
import { axisRange } from './axis';
import { commandText } from './commandtext';
import { decimalsOf, meanOf, valueOf } from './values';

test('a number keeps every digit before the point, and five where it has fewer', () => {
  const say = (v: number) => valueOf(v, undefined, '');
  expect([21.45678, 0.000456, 101_325.4, -12_345.6].map(say)).toEqual(['21.457', '0.000456', '101,325', '-12,346']);
  expect(valueOf(21, 1, 'Cel')).toBe('21.0\u202f°C');
  expect(valueOf(61, 0, '%RH')).toBe('61%');
});

test('what was on for a part of the time says so', () => {
  expect([0, 1, 0.4].map(meanOf)).toEqual(['Off', 'On', '40% on']);
});

test('a command reads as it is typed', () => {
  expect(commandText({ action: 'restart' })).toBe('restart');
  expect(commandText({ action: 'fan', args: { on: false } })).toBe('fan off');
  expect(commandText({ action: 'light', args: { on: true, brightness: 7.5 } })).toBe('light on=on brightness=7.5');
});

test('a mean has no more decimals than what it is of', () => {
  expect([decimalsOf(12.4, 24.25), decimalsOf(3, undefined), decimalsOf(0.00001)]).toEqual([2, 0, 5]);
});

test('a flat line stands in the middle of a narrow part of the axis', () => {
  expect(axisRange(80, 80)).toEqual([72, 88]);
  expect(axisRange(0, 0)).toEqual([-1, 1]);
  expect(axisRange(null, null)).toEqual([0, 1]);
  expect(axisRange(1, 2)).toBeUndefined();
});
