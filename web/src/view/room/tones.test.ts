import { expect, test } from 'vitest';
import type { Reaction } from '../types';
import { grouped, toToggle } from './tones';

const by = (emoji: string, ...users: string[]): Reaction => ({ emoji, count: users.length, users });
const said = (...reactions: Reaction[]) =>
  grouped(reactions, 'me').map((r) => [r.emoji, r.count, r.mine ?? r.users?.includes('me')]);

test('one emoji in several skin tones is counted once', () => {
  expect(said(by('👍🏽', 'ann'), by('❤', 'ben'), by('👍', 'ben', 'me'), by('👍🏿', 'lin'))).toEqual([
    ['👍', 4, true],
    ['❤', 1, false],
  ]);
  expect(said(by('👩🏽‍🚀', 'ann'), by('👩‍🚀', 'ben'), by('👩‍🎨', 'ben'))).toEqual([
    ['👩‍🚀', 2, false],
    ['👩‍🎨', 1, false],
  ]);
});

test('an emoji in one tone is shown with it, and so is a tone alone', () => {
  expect(said(by('👍🏽', 'ann', 'me'), by('🏽', 'ann'), by(':parrot:', 'ben'))).toEqual([
    ['👍🏽', 2, true],
    ['🏽', 1, false],
    [':parrot:', 1, false],
  ]);
});

test('whoever gave an emoji in two tones is one person, as far as all are named', () => {
  expect(said(by('👍', 'ann', 'ben'), by('👍🏽', 'ann'))).toEqual([['👍', 2, false]]);
  expect(said({ emoji: '👍', count: 30, users: ['ann'] }, by('👍🏽', 'ann'))).toEqual([['👍', 31, false]]);
});

test('a click takes back what the user gave in whichever tone, and otherwise gives what is shown', () => {
  const click = (...reactions: Reaction[]) => grouped(reactions, 'me').map((r) => toToggle(r, 'me'));
  expect(click(by('👍', 'ann'), by('👍🏽', 'me'), by('👍🏿', 'me'))).toEqual([['👍🏽', '👍🏿']]);
  expect(click(by('👍🏿', 'ann'), by('👍🏽', 'ben'))).toEqual([['👍']]);
  expect(click(by('👍🏿', 'ann'))).toEqual([['👍🏿']]);
});
