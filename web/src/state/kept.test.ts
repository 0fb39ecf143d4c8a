import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Server } from '../view/port';
import type { Event, Me, RoomState } from '../view/types';
import { rewrites, type Replay } from './frames';
import { begin, last, type Change, type Shelf, type Snapshot } from './kept';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A browser's shelf over a map, as shelf.ts has it over a database. */
class MapShelf implements Shelf {
  readonly texts = new Map<string, string>();
  order: readonly string[] = [];
  owner: { user: string; mark: string } | undefined;
  full = false;

  claim(user: string, mark: string): Promise<string> {
    if (this.owner?.user !== user) {
      this.empty();
      this.owner = { user, mark };
    }
    return Promise.resolve(this.owner.mark);
  }
  get(key: string): Promise<string | undefined> {
    return Promise.resolve(this.texts.get(key));
  }
  all(start: string): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map([...this.texts].filter(([key]) => key.startsWith(start))));
  }
  write(mark: string, change: (order: readonly string[]) => Change): Promise<void> {
    if (this.owner?.mark !== mark) return Promise.resolve();
    if (this.full) return Promise.reject(new DOMException('full', 'QuotaExceededError'));
    const { texts, order } = change(this.order);
    this.order = order;
    for (const [key, text] of texts) {
      if (text === undefined) this.texts.delete(key);
      else this.texts.set(key, text);
    }
    return Promise.resolve();
  }
  clear(mark?: string): Promise<void> {
    if (mark !== undefined && this.owner?.mark !== mark) return Promise.resolve();
    this.empty();
    this.owner = undefined;
    return Promise.resolve();
  }
  empty(): void {
    this.texts.clear();
    this.order = [];
  }
  get size(): number {
    return [...this.texts.values()].reduce((n, text) => n + text.length, 0);
  }
}

const room = (id: string, topic = '') => ({ id, name: id, topic }) as RoomState;
const said = (seq: number, text = `m${seq}`) => ({ seq, type: 'message.created', message: { seq, text } }) as Event;
const snapshot = (...rooms: RoomState[]): Snapshot => ({
  at: 1,
  me: { id: 'ann' } as Me,
  server: { name: 'Home' } as Server,
  rooms,
});
const pageOf = (items: Event[], head = items.at(-1)?.seq ?? 0) => ({ head, page: { items } });
const passed = () => vi.advanceTimersByTimeAsync(2_500);

test('the rooms and the last lines of them are found again', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  kept.rooms(() => snapshot(room('r')));
  kept.page('r', () => pageOf(Array.from({ length: 60 }, (_, i) => said(i + 1))));
  await passed();
  expect(await last(shelf)).toMatchObject({ me: { id: 'ann' }, server: { name: 'Home' }, rooms: [{ id: 'r' }] });
  const page = (await (await begin('ann', shelf)).of('r'))?.page;
  expect(page?.items.map((e) => e.seq)).toEqual(Array.from({ length: 50 }, (_, i) => i + 11));
  expect(page?.prev).toBeDefined(); // there is more above
  expect(await kept.of('other')).toBeUndefined();
});

test('what is kept is what is there at the end of a while', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  const items = [said(1)];
  kept.page('r', () => pageOf(items));
  items.push(said(2));
  await passed();
  expect((await kept.of('r'))?.page.items).toHaveLength(2);
  kept.page('r', () => undefined); // the end of the room is not loaded any more
  await passed();
  expect((await kept.of('r'))?.page.items).toHaveLength(2);
});

test('the lines of twenty rooms are kept: those that were shown last', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  for (let i = 0; i < 25; i++) kept.page(`r${i}`, () => pageOf([said(1)]));
  await passed();
  const left = [...shelf.texts.keys()].filter((key) => key.startsWith('page/'));
  expect(left).toHaveLength(20);
  expect(left).toContain('page/r24');
  expect(left).not.toContain('page/r4');
  const next = await begin('ann', shelf); // another tab, or start, knows which
  next.page('new', () => pageOf([said(1)]));
  await passed();
  expect(shelf.texts.has('page/r5')).toBe(false);
  expect(shelf.texts.has('page/r6')).toBe(true);
  kept.page('newer', () => pageOf([said(1)]));
  await passed();
  expect(shelf.texts.has('page/r6')).toBe(false);
  expect(shelf.texts.has('page/new')).toBe(true);
  expect(shelf.texts.size).toBe(20);
});

test('no more than some megabytes are kept: the latest lines and rooms', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  const long = 'x'.repeat(16_000);
  const items = Array.from({ length: 50 }, (_, n) => said(n, long));
  for (let i = 0; i < 20; i++) kept.page(`r${i}`, () => pageOf(items));
  kept.rooms(() => snapshot(...Array.from({ length: 2_000 }, (_, i) => room(`r${i}`, 'y'.repeat(500)))));
  await passed();
  expect(shelf.size).toBeLessThan(2_550_000);
  expect((await last(shelf))?.rooms.length).toBeGreaterThan(500);
  expect((await last(shelf))?.rooms[0]?.id).toBe('r0');
  expect((await kept.of('r3'))?.page.items.at(-1)?.seq).toBe(49);
});

test('the lines of a room that the user is in no longer go', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  kept.page('r', () => pageOf([said(1)]));
  kept.page('other', () => pageOf([said(1)]));
  kept.rooms(() => snapshot(room('r'), room('other')));
  await passed();
  kept.rooms(() => snapshot(room('other')));
  await passed();
  expect(await kept.of('r')).toBeUndefined();
  kept.drop('other');
  await passed();
  expect(await kept.of('other')).toBeUndefined();
});

test('nobody finds what somebody else has left, and a tab that was left open brings nothing back', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  kept.rooms(() => snapshot(room('r')));
  await passed();
  kept.page('r', () => pageOf([said(1)]));
  const bobs = await begin('bob', shelf);
  expect(await last(shelf)).toBeUndefined();
  await passed();
  expect(shelf.texts.size).toBe(0);
  await kept.wipe(); // what is Bob's stays his
  bobs.page('r', () => pageOf([said(1)]));
  await passed();
  expect(await bobs.of('r')).toBeDefined();
});

test('nothing is left of who signs out, nor written after that', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  const tab = await begin('ann', shelf);
  kept.rooms(() => snapshot(room('r')));
  await passed();
  kept.page('r', () => pageOf([said(1)]));
  tab.page('r', () => pageOf([said(1)]));
  await kept.wipe();
  await passed();
  expect(shelf.texts.size).toBe(0);
  await begin('ann', shelf); // again, in another session
  tab.page('r', () => pageOf([said(1)]));
  await passed();
  expect(shelf.texts.size).toBe(0);
});

test('a page that goes out of sight keeps at once what it knows', async () => {
  const page = new EventTarget();
  vi.stubGlobal('document', page);
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  vi.unstubAllGlobals();
  kept.page('r', () => pageOf([said(1)]));
  page.dispatchEvent(new globalThis.Event('visibilitychange'));
  expect(await kept.of('r')).toBeDefined();
});

test('a browser that is full keeps nothing rather than what was deleted since', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  kept.page('r', () => pageOf([said(1)]));
  await passed();
  shelf.full = true;
  kept.page('r', () => pageOf([]));
  await passed();
  expect(shelf.texts.size).toBe(0);
});

test('lines are not true any more after a message was edited or deleted', () => {
  expect(rewrites([said(1)])).toBe(false);
  expect(rewrites([said(1), { ...said(2), type: 'message.deleted' }])).toBe(true);
  expect(rewrites([{ ...said(2), type: 'message.edited' }])).toBe(true);
});

/** A server with the logs of some rooms, which answers with so many events at a time. */
function serverOf(logs: Record<string, Event[]>, most = 100) {
  const asked: Record<string, number>[] = [];
  const sync = (rooms: Record<string, number>) => {
    asked.push(rooms);
    const answers = Object.entries(rooms).map(([room, after]): Replay => {
      const rest = (logs[room] ?? []).filter((e) => e.seq > after);
      return { room, events: rest.slice(0, most), more: rest.length > most };
    });
    return Promise.resolve({ rooms: answers });
  };
  const heads = new Map(Object.entries(logs).map(([room, log]) => [room, log.at(-1)?.seq ?? 0]));
  return { asked, around: { me: 'ann', heads, sync } };
}
const gone = (seq: number, of: number) =>
  ({ seq, type: 'message.deleted', message: { seq: of, deleted_at: 'now' } }) as Event;
const textsIn = async (kept: Awaited<ReturnType<typeof begin>>, room: string) =>
  (await kept.of(room))?.page.items.filter((e) => !e.message?.deleted_at).map((e) => e.message?.text);

test('what was deleted in rooms not opened since is not shown once there was a way to the server', async () => {
  const shelf = new MapShelf();
  const before = await begin('ann', shelf);
  before.page('r', () => pageOf([said(1), said(2)]));
  before.page('same', () => pageOf([said(1)], 4));
  before.page('left', () => pageOf([said(1)]));
  await passed();
  before.close();

  const kept = await begin('ann', shelf); // another start
  const rooms = { r: [said(1), said(2), gone(3, 1), said(4)], same: [{ ...said(4) }], new: [said(1)] };
  const { asked, around } = serverOf(rooms);
  await expect(kept.freshen({ ...around, sync: () => Promise.reject(new Error('lost')) })).rejects.toThrow('lost');
  await passed();
  expect(await textsIn(kept, 'r')).toEqual(['m1', 'm2']); // the next connection tries again
  await kept.freshen(around);
  await passed();
  expect(asked).toEqual([{ r: 2 }]); // the others are as they were, or go with the list
  expect(await textsIn(kept, 'r')).toEqual(['m2', 'm4']);
  expect(await textsIn(kept, 'same')).toEqual(['m1']);
  expect(shelf.order).toEqual(['r', 'same', 'left']);
  await kept.freshen(around);
  expect(asked).toHaveLength(1); // it is up to date
});

test('what was kept and cannot be brought up to date goes', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  for (const room of ['far', 'reset', 'old', 'near']) kept.page(room, () => pageOf([said(1)]));
  await passed();
  shelf.texts.set('page/old', JSON.stringify({ at: 1, page: { items: [said(1)] } })); // no number: of a version before
  const long = Array.from({ length: 60 }, (_, i) => said(i + 1));
  const rooms = { far: long, reset: [said(1), said(2)], old: [said(1)], near: long.slice(0, 15) };
  const { asked, around } = serverOf(rooms, 10);
  const sync = async (rooms: Record<string, number>) => {
    const got = await around.sync(rooms);
    return { rooms: got.rooms.map((r) => (r.room === 'reset' ? { ...r, events: [], reset: true } : r)) };
  };
  await kept.freshen({ ...around, sync });
  await passed();
  expect(asked.length).toBeLessThanOrEqual(5);
  expect(shelf.order).toEqual(['near']);
  expect([...shelf.texts.keys()]).toEqual(['page/near']);
  expect(await textsIn(kept, 'near')).toHaveLength(15);
});

test('what happens while rooms are brought up to date counts', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  kept.page('r', () => pageOf([said(1)]));
  kept.page('shown', () => pageOf([said(1)]));
  await passed();
  const { around } = serverOf({ r: [said(1), said(2)], shown: [said(1), said(2)] });
  const sync = async (rooms: Record<string, number>) => {
    const got = await around.sync(rooms);
    kept.drop('r'); // an event that the answer does not have yet
    kept.page('shown', () => pageOf([said(2), said(3)]));
    return got;
  };
  await kept.freshen({ ...around, sync });
  await passed();
  expect(await kept.of('r')).toBeUndefined();
  expect(await textsIn(kept, 'shown')).toEqual(['m2', 'm3']);
});
