import { expect, test } from 'vitest';
import { badgeOf, titleOf } from './favicon';

test('mentions are a number, other messages are a dot', () => {
  expect([badgeOf(0, 0), badgeOf(5, 0), badgeOf(5, 2), badgeOf(500, 200)]).toEqual([undefined, '', '2', '99']);
});

test('the title counts mentions apart from the rest', () => {
  expect(titleOf('Unhidra', 0, 0)).toBe('Unhidra');
  expect(titleOf('Unhidra', 5, 0)).toBe('• 5 Unhidra');
  expect(titleOf('Unhidra', 5, 2)).toBe('(2) • 3 Unhidra');
  expect(titleOf('Unhidra', 2, 2)).toBe('(2) Unhidra');
});
