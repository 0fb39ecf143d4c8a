import { describe, expect, test } from 'vitest';
import { linked, marked, markOf } from './format';

/** A text with [ and ] at the ends of what is selected. */
const read = (s: string) => ({ value: s.replace(/[[\]]/gu, ''), from: s.indexOf('['), to: s.indexOf(']') - 1 });
const after = (s: string, mark: string) => {
  const at = read(s);
  const c = marked(at, mark);
  const value = at.value.slice(0, c.from) + c.text + at.value.slice(c.to);
  return `${value.slice(0, c.start)}[${value.slice(c.start, c.end)}]${value.slice(c.end)}`;
};

describe('a mark', () => {
  test.each([
    ['say [it] now', '**', 'say **[it]** now'],
    ['say **[it]** now', '**', 'say [it] now'],
    ['say [**it**] now', '**', 'say [it] now'],
    ['say **[it]** now', '*', 'say ***[it]*** now'],
    ['say ***[it]*** now', '**', 'say *[it]* now'],
    ['say ***[it]*** now', '*', 'say **[it]** now'],
    ['say [it ]now', '~~', 'say ~~[it]~~ now'],
    ['[]', '`', '`[]`'],
    ['`[]`', '`', '[]'],
  ])('%s with %s', (before, mark, want) => {
    expect(after(before, mark)).toBe(want);
  });

  const key = (key: string, more = {}) =>
    markOf({ key, ctrlKey: true, metaKey: false, altKey: false, shiftKey: false, ...more } as KeyboardEvent);
  test('is that of its key', () => {
    expect([key('b'), key('i'), key('e'), key('X', { shiftKey: true })]).toEqual(['**', '*', '`', '~~']);
    expect([key('b', { ctrlKey: false }), key('b', { altKey: true }), key('B', { shiftKey: true }), key('x')]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test('an address that is pasted over a text makes it a link', () => {
  expect(linked(read('see [the plan]'), ' https://example.org/plan ')).toBe('[the plan](https://example.org/plan)');
  expect(linked(read('[it]'), 'https://example.org/a_(b)')).toBe('[it](<https://example.org/a_(b)>)');
  for (const [text, pasted] of [
    ['[]', 'https://example.org'],
    ['[it]', 'example.org'],
    ['[it]', 'https://example.org and more'],
    ['[https://example.com]', 'https://example.org'],
    ['[one\ntwo]', 'https://example.org'],
  ] as const)
    expect(linked(read(text), pasted)).toBe(undefined);
});
