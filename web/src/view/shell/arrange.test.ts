import { describe, expect, test } from 'vitest';
import type { Arranged } from '../sectionport';
import { add, close, maxSections, move, partOf, put, remove, rename, taken } from './arrange';

const start: Arranged = {
  version: 1,
  favourites: { rooms: ['a'] },
  sections: [
    { name: 'Work', rooms: ['b', 'c'] },
    { name: 'Home', rooms: [], closed: true },
  ],
};
const names = (a: Arranged) => a.sections.map((s) => s.name);

describe('a room', () => {
  test('is in one part, wherever it is put', () => {
    for (const to of [{ favourites: true } as const, { section: 'Home' }, { section: 'Work' }, undefined]) {
      const now = put(start, 'b', to);
      expect(partOf(now, 'b')).toEqual(to);
      const all = [now.favourites, ...now.sections].flatMap((g) => g.rooms);
      expect(all.filter((r) => r === 'b')).toHaveLength(to ? 1 : 0);
      expect(all.filter((r) => r !== 'b').sort()).toEqual(['a', 'c']);
    }
  });

  test('stays where it is if the section is gone', () => {
    expect(put(start, 'b', { section: 'Gone' })).toEqual(start);
  });
});

describe('a section', () => {
  test('is added last, with a name of its own', () => {
    expect(names(add(start, ' Garden '))).toEqual(['Work', 'Home', 'Garden']);
    expect(add(start, 'work ')).toBe(start);
    expect([taken(start, 'HOME'), taken(start, 'Home', 'Home'), taken(start, 'Garden')]).toEqual([true, false, false]);
  });

  test('is not added to as many as there can be', () => {
    let full = start;
    for (let i = 0; i < maxSections + 5; i++) full = add(full, `s${i}`);
    expect(full.sections).toHaveLength(maxSections);
  });

  test('is renamed, also in the case of its letters, unless another has the name', () => {
    expect(names(rename(start, 'Work', 'WORK'))).toEqual(['WORK', 'Home']);
    expect(rename(start, 'Work', 'home')).toBe(start);
    expect(partOf(rename(start, 'Work', 'Job'), 'b')).toEqual({ section: 'Job' });
  });

  test('moves up and down, and not past the ends', () => {
    expect(names(move(start, 'Work', 1))).toEqual(['Home', 'Work']);
    expect(names(move(start, 'Home', -1))).toEqual(['Home', 'Work']);
    expect(names(move(start, 'Work', -1))).toEqual(['Work', 'Home']);
    expect(names(move(start, 'Home', 1))).toEqual(['Work', 'Home']);
    expect(move(start, 'Gone', 1)).toBe(start);
  });

  test('leaves its rooms in none when it goes', () => {
    const now = remove(start, 'Work');
    expect([names(now), partOf(now, 'b')]).toEqual([['Home'], undefined]);
  });

  test('and the favourites are closed and opened', () => {
    expect(close(start, { section: 'Home' }, false).sections[1]?.closed).toBe(false);
    expect(close(start, { favourites: true }, true).favourites).toEqual({ rooms: ['a'], closed: true });
    expect(close(start, undefined, true)).toBe(start);
  });
});
