import { beforeEach, describe, expect, test } from 'vitest';
import type { Api } from '../net/api';
import type { Event, Me, Message, Pin, User } from '../view/types';
import { RoomPins } from './pins.svelte';

const ann: User = { id: 'usr_1', kind: 'user', username: 'ann', display_name: 'Ann' };
const bob: User = { id: 'usr_2', kind: 'user', username: 'bob', display_name: 'Bob' };
const at = '2026-03-14T09:26:53Z';
const message = (seq: number): Message => ({ room: 'room_1', seq, sender: ann, text: `text ${seq}`, at });
const pin = (seq: number): Pin => ({ message: message(seq), by: bob, at, seq: seq + 100 });
const event = (type: string, about: Partial<Event>): Event => ({
  room: 'room_1',
  seq: 200,
  type,
  actor: bob,
  at,
  ...about,
});

/** What was asked, and what answers it. */
let asked: { line: string; answer: (seqs: number[]) => void; fail: () => void }[] = [];
const api = {
  call: (method: string, path: string) =>
    new Promise((done, failed) =>
      asked.push({
        line: `${method} ${path}`,
        answer: (seqs) => done({ items: seqs.map(pin) }),
        fail: () => failed(new Error('away')),
      }),
    ),
} as unknown as Api<Me>;
const settled = () => new Promise((done) => setTimeout(done));
const list = 'GET /rooms/room_1/pins';

async function loaded(...seqs: number[]): Promise<RoomPins> {
  const pins = new RoomPins('room_1', { api, words: (err) => (err as Error).message });
  asked.shift()?.answer(seqs);
  await settled();
  return pins;
}

beforeEach(() => (asked = []));

describe('the pinned messages of a room', () => {
  test('are known once they are loaded, and not before', async () => {
    const pins = new RoomPins('room_1', { api, words: String });
    expect([pins.phase, pins.has(4)]).toEqual(['loading', undefined]);
    asked[0]?.answer([4]);
    await settled();
    expect([pins.phase, pins.has(4), pins.has(5)]).toEqual(['ready', true, false]);
    expect(asked.map((a) => a.line)).toEqual([list]);
  });

  test.each([
    ['one is pinned', event('message.pinned', { detail: { of: 9 } }), true],
    ['one is unpinned', event('message.unpinned', { detail: { of: 4 } }), true],
    ['one of them is changed', event('message.edited', { message: message(4) }), true],
    ['one of them is deleted', event('message.deleted', { message: message(4) }), true],
    ['another message is changed', event('message.edited', { message: message(5) }), false],
    ['something is said', event('message.created', { message: message(200) }), false],
    ['one of them gets an emoji', event('reaction.added', { detail: { of: 4, emoji: '👍' } }), false],
  ])('are asked for anew if that may change them: %s', async (_, e, asks) => {
    const pins = await loaded(4);
    pins.apply([e]);
    expect(asked.length).toBe(asks ? 1 : 0);
    expect(pins.has(4)).toBe(true); // until the answer comes
  });

  test('of two answers the later question counts', async () => {
    const pins = await loaded();
    pins.apply([event('message.pinned', { detail: { of: 4 } })]);
    pins.apply([event('message.unpinned', { detail: { of: 4 } })]);
    asked[1]?.answer([]);
    await settled();
    asked[0]?.answer([4]);
    await settled();
    expect(pins.has(4)).toBe(false);
  });

  test('stay known while the server does not answer, and are asked for again', async () => {
    const pins = await loaded(4);
    pins.apply([event('message.pinned', { detail: { of: 9 } })]);
    asked[0]?.fail();
    await settled();
    expect([pins.phase, pins.error, pins.has(4)]).toEqual(['failed', 'away', true]);
    const again = pins.load();
    expect(pins.phase).toBe('loading');
    asked[1]?.answer([9, 4]);
    await again;
    expect([pins.phase, pins.has(9)]).toEqual(['ready', true]);
  });

  test('a message is pinned and unpinned by the server, whose list is shown then', async () => {
    const pins = await loaded();
    for (const pinned of [true, false]) {
      asked = [];
      const done = pins.set(4, pinned);
      asked[0]?.answer([]);
      await settled();
      asked[1]?.answer(pinned ? [4] : []);
      await done;
      expect(asked.map((a) => a.line)).toEqual([`${pinned ? 'PUT' : 'DELETE'} /rooms/room_1/messages/4/pin`, list]);
      expect(pins.has(4)).toBe(pinned);
    }
  });

  test('what is refused changes nothing, and is said', async () => {
    const pins = await loaded();
    const done = pins.set(4, true);
    asked[0]?.fail();
    await expect(done).rejects.toThrow('away');
    expect([asked.length, pins.has(4)]).toEqual([1, false]);
  });

  test('go with messages that are kept no longer, and follow the names of people', async () => {
    const pins = await loaded(4);
    pins.forget(3);
    pins.renamed({ ...ann, id: 'usr_3' });
    expect(asked.length).toBe(0);
    pins.forget(4);
    pins.renamed(ann);
    pins.renamed(bob);
    expect(asked.length).toBe(3);
  });
});
