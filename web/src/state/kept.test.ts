import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Server } from '../view/port';
import type { Event, Me, RoomState } from '../view/types';
import { rewrites } from './frames';
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
const passed = () => vi.advanceTimersByTimeAsync(2_500);

test('the rooms and the last lines of them are found again', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  kept.rooms(() => snapshot(room('r')));
  kept.page('r', () => ({ items: Array.from({ length: 60 }, (_, i) => said(i + 1)) }));
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
  kept.page('r', () => ({ items }));
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
  for (let i = 0; i < 25; i++) kept.page(`r${i}`, () => ({ items: [said(1)] }));
  await passed();
  const left = [...shelf.texts.keys()].filter((key) => key.startsWith('page/'));
  expect(left).toHaveLength(20);
  expect(left).toContain('page/r24');
  expect(left).not.toContain('page/r4');
  const next = await begin('ann', shelf); // another tab, or start, knows which
  next.page('new', () => ({ items: [said(1)] }));
  await passed();
  expect(shelf.texts.has('page/r5')).toBe(false);
  expect(shelf.texts.has('page/r6')).toBe(true);
  kept.page('newer', () => ({ items: [said(1)] }));
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
  for (let i = 0; i < 20; i++) kept.page(`r${i}`, () => ({ items }));
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
  kept.page('r', () => ({ items: [said(1)] }));
  kept.page('other', () => ({ items: [said(1)] }));
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
  kept.page('r', () => ({ items: [said(1)] }));
  const bobs = await begin('bob', shelf);
  expect(await last(shelf)).toBeUndefined();
  await passed();
  expect(shelf.texts.size).toBe(0);
  await kept.wipe(); // what is Bob's stays his
  bobs.page('r', () => ({ items: [said(1)] }));
  await passed();
  expect(await bobs.of('r')).toBeDefined();
});

test('nothing is left of who signs out, nor written after that', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  const tab = await begin('ann', shelf);
  kept.rooms(() => snapshot(room('r')));
  await passed();
  kept.page('r', () => ({ items: [said(1)] }));
  tab.page('r', () => ({ items: [said(1)] }));
  await kept.wipe();
  await passed();
  expect(shelf.texts.size).toBe(0);
  await begin('ann', shelf); // again, in another session
  tab.page('r', () => ({ items: [said(1)] }));
  await passed();
  expect(shelf.texts.size).toBe(0);
});

test('a page that goes out of sight keeps at once what it knows', async () => {
  const page = new EventTarget();
  vi.stubGlobal('document', page);
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  vi.unstubAllGlobals();
  kept.page('r', () => ({ items: [said(1)] }));
  page.dispatchEvent(new globalThis.Event('visibilitychange'));
  expect(await kept.of('r')).toBeDefined();
});

test('a browser that is full keeps nothing rather than what was deleted since', async () => {
  const shelf = new MapShelf();
  const kept = await begin('ann', shelf);
  kept.page('r', () => ({ items: [said(1)] }));
  await passed();
  shelf.full = true;
  kept.page('r', () => ({ items: [] }));
  await passed();
  expect(shelf.texts.size).toBe(0);
});

test('lines are not true any more after a message was edited or deleted', () => {
  expect(rewrites([said(1)])).toBe(false);
  expect(rewrites([said(1), { ...said(2), type: 'message.deleted' }])).toBe(true);
  expect(rewrites([{ ...said(2), type: 'message.edited' }])).toBe(true);
});
