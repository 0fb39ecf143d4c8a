import { expect, test } from 'vitest';
import { tokenAt } from './token';

const at = (text: string, cursor = text.length) => tokenAt(text, cursor);

test('names, emoji and commands are completed where they are typed', () => {
  expect(at('hello @an')).toEqual({ kind: '@', typed: 'an', from: 6 });
  expect(at(':smi')).toEqual({ kind: ':', typed: 'smi', from: 0 });
  expect(at(':s')).toBe(undefined);
  expect(at('see #wor')).toEqual({ kind: '#', typed: 'wor', from: 4 });
  for (const text of ['#', '# Title', '#12', 'C#', 'a#b', 'https://example.org/#top']) expect(at(text)).toBe(undefined);
  expect(at('/fa')).toEqual({ kind: '/', typed: 'fa', from: 0 });
  expect(at('/')).toEqual({ kind: '/', typed: '', from: 0 });
  expect(at('/fan o')).toEqual({ kind: '/', typed: 'fan o', from: 5 });
  expect(at('/fan on', 2)).toEqual({ kind: '/', typed: 'f', from: 0 });
});

test('a slash elsewhere is text', () => {
  for (const text of ['see /fan', '/etc/pass', '/fan\non', 'and/or']) expect(at(text)?.kind).not.toBe('/');
  expect(at(`/say ${'x'.repeat(300)}`)).toBe(undefined);
});
