import { expect, it } from 'vitest';
import { bytesOf, clean, cut } from './clean';

it.each([
  ['plain\ttext\n', 'plain\ttext\n'],
  ['one\vtwo\fthree', 'one\ntwo\nthree'],
  ['\u001b[1;31mred\u001b[0m', 'red'],
  ['\u001b]8;;https://x.org\u001b\\link\u001b]8;;\u0007', 'link'],
  ['\u001b]0;title\u0007$ ls', '$ ls'],
  ['a\u0000b\u0008c\u007fd\u009be', 'abcde'],
  ['\u001b', ''],
  ['\u001b[', ''],
  ['line\u2028line\u2029line\u0085line', 'line\nline\nline\nline'],
  ['👩‍💻 é 字 \u200f', '👩‍💻 é 字 \u200f'],
])('%j is pasted as %j', (given, want) => expect(clean(given)).toBe(want));

it('cuts at the limit, between characters', () => {
  expect(cut('abc', 2)).toBe('ab');
  expect(cut('aé字🎉', 3)).toBe('aé');
  expect(cut('aé字🎉', 9)).toBe('aé字');
  expect(cut('abc', -1)).toBe('');
  expect(bytesOf(cut('字'.repeat(1_000_000), 16_384))).toBe(16_383);
});
