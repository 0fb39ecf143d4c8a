import { describe, expect, test, vi } from 'vitest';
import type { Arranged } from '../sectionport';
import type { RoomState } from '../types';

vi.stubGlobal('location', new URL('http://localhost:9000/'));
const { calls, ordered, steps } = await import('./sections');

const room = (name: string, more: Partial<RoomState> = {}) =>
  ({
    id: name.toLowerCase(),
    kind: 'public',
    name,
    unread: 0,
    mentions: 0,
    last_at: '2026-05-01T10:00:00Z',
    ...more,
  }) as RoomState;

const nothing: Arranged = { version: 0, favourites: { rooms: [] }, sections: [] };
const arranged: Arranged = {
  version: 1,
  favourites: { rooms: ['zoo', 'gone'] },
  sections: [
    { name: 'Work', rooms: ['plans', 'ann', 'bugs'] },
    { name: 'Home', rooms: [] },
  ],
};
const rooms = [
  room('Zoo', { unread: 2 }),
  room('Plans', { archived: true }),
  room('Bugs', { unread: 1 }),
  room('ann', { kind: 'direct', peers: [{ id: 'usr_1', kind: 'user', username: 'ann', display_name: 'Ann' }] }),
  room('Tea', { unread: 3 }),
  room('Alerts', { unread: 9 }),
  room('bob', { kind: 'direct' }),
];
const none = new Set<string>();
const ids = (list: readonly RoomState[]) => list.map((r) => r.id);

describe('the rooms in the order of the rail', () => {
  test('stay where the user put them, by name, also when there is something to read', () => {
    const o = ordered(rooms, '', arranged, none);
    expect(o.own.map(ids)).toEqual([['zoo'], ['ann', 'bugs', 'plans'], []]);
    expect([ids(o.unread).sort(), ids(o.rooms), ids(o.direct)]).toEqual([['alerts', 'tea'], [], ['bob']]);
  });

  test('are by what there is to read where the user put nothing, and the open one stays', () => {
    const o = ordered(rooms, 'tea', nothing, none);
    expect(ids(o.unread).sort()).toEqual(['alerts', 'bugs', 'zoo']);
    expect([o.own.map(ids), ids(o.rooms)]).toEqual([[[]], ['tea', 'plans']]);
  });

  test('call for nobody if they are muted, unless the user is meant', () => {
    const muted = new Set(['alerts', 'tea']);
    const there = rooms.map((r) => (r.id === 'tea' ? { ...r, mentions: 1 } : r));
    expect(ids(ordered(there, '', arranged, muted).unread)).toEqual(['tea']);
    expect(ids(ordered(there, '', arranged, muted).rooms)).toEqual(['alerts']);
    expect(there.filter((r) => calls(r, muted)).map((r) => r.id)).toEqual(['zoo', 'bugs', 'tea']);
  });

  test('are stepped through as they are shown, round and round', () => {
    const read = rooms.map((r) => ({ ...r, unread: 0 })); // what is unread moves as one comes and goes
    const o = ordered(read, 'zoo', arranged, none);
    const all = [...o.own.flat(), ...o.rooms, ...o.direct].map((r) => r.id);
    const walked = ['zoo'];
    for (let i = 1; i < all.length; i++) walked.push(steps(read, arranged, none, walked.at(-1), 1, false) ?? '');
    expect(walked).toEqual(all);
    expect(steps(read, arranged, none, 'zoo', -1, false)).toBe(all.at(-1));
    expect(steps(rooms, arranged, new Set(['alerts', 'tea', 'bugs']), 'zoo', 1, true)).toBeUndefined();
  });
});
