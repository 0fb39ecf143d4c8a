import { beforeEach, describe, expect, test } from 'vitest';
import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Me } from '../view/types';
import { OwnSaved } from './saved.svelte';

/** What was asked, and what answers it. */
let asked: { line: string; answer: (v?: unknown) => void; fail: () => void }[] = [];
const api = {
  call: (method: string, path: string) =>
    new Promise((done, failed) =>
      asked.push({ line: `${method} ${path}`, answer: done, fail: () => failed(new Error('away')) }),
    ),
} as unknown as Api<Me>;
const settled = () => new Promise((done) => setTimeout(done));
const changed = (seq: number, saved: boolean) => ({ type: 'saved', data: { room: 'r', seq, saved } }) as Frame;

async function looked(...items: number[]): Promise<OwnSaved> {
  const saved = new OwnSaved(api);
  saved.look('r');
  asked.shift()?.answer({ items });
  await settled();
  return saved;
}

beforeEach(() => (asked = []));

describe('which messages are saved', () => {
  test('is known of a room that was looked at, once it is loaded, and asked for once', async () => {
    const saved = new OwnSaved(api);
    saved.look('r');
    saved.look('r');
    expect(saved.has('r', 4)).toBeUndefined();
    expect(asked.map((a) => a.line)).toEqual(['GET /me/saved/r']);
    asked[0]?.answer({ items: [4] });
    await settled();
    saved.look('r');
    expect([saved.has('r', 4), saved.has('r', 5), saved.has('other', 4), asked.length]).toEqual([
      true,
      false,
      undefined,
      1,
    ]);
  });

  test('follows what another device does, also while the answer is on its way', async () => {
    const saved = new OwnSaved(api);
    saved.look('r');
    saved.take(changed(5, true));
    saved.take(changed(4, false));
    asked[0]?.answer({ items: [4] });
    await settled();
    expect([saved.has('r', 4), saved.has('r', 5)]).toEqual([false, true]);
    const before = saved.news;
    saved.take(changed(5, false));
    expect([saved.has('r', 5), saved.news]).toEqual([false, before + 1]);
  });

  test('stays as it is if the server refuses, and is asked for again with the next look', async () => {
    const saved = await looked(4);
    const done = saved.set('r', 5, true);
    asked[0]?.fail();
    await expect(done).rejects.toThrow('away');
    expect(saved.has('r', 5)).toBe(false);
    saved.look('q');
    asked[1]?.fail();
    await settled();
    saved.look('q');
    expect(asked.at(-1)?.line).toBe('GET /me/saved/q');
    expect(asked).toHaveLength(3);
  });

  test('changes once the server has taken it', async () => {
    const saved = await looked();
    for (const is of [true, false]) {
      const done = saved.set('r', 4, is);
      expect(saved.has('r', 4)).toBe(!is);
      asked.at(-1)?.answer();
      await done;
      expect(saved.has('r', 4)).toBe(is);
    }
    expect(asked.map((a) => a.line)).toEqual(['PUT /me/saved/r/4', 'DELETE /me/saved/r/4']);
  });

  test('is asked for anew after a connection, and of two answers the later question counts', async () => {
    const saved = await looked(4);
    saved.hello();
    saved.hello();
    expect(saved.has('r', 4)).toBe(true); // until the answer comes
    asked[1]?.answer({ items: [] });
    await settled();
    asked[0]?.answer({ items: [4] });
    await settled();
    expect(saved.has('r', 4)).toBe(false);
  });

  test('tells lists of what happens to saved messages, and of rooms that are left', async () => {
    const saved = await looked(4);
    const grew = (f: unknown) => {
      const before = saved.news;
      saved.take(f as Frame);
      return saved.news > before;
    };
    const event = (type: string, seq: number) => ({ type: 'event', data: { room: 'r', type, message: { seq } } });
    expect(grew(event('message.deleted', 4))).toBe(true);
    expect(grew(event('message.edited', 4))).toBe(true);
    expect(grew(event('message.edited', 5))).toBe(false);
    expect(grew(event('message.created', 6))).toBe(false);
    expect(grew({ type: 'room.left', data: { room: 'r' } })).toBe(true);
    expect(saved.has('r', 4)).toBeUndefined();
  });
});
