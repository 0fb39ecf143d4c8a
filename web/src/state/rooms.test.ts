import { expect, test, vi } from 'vitest';
import { Unreachable } from '../net/api';
import { Lost, type Frame } from '../net/connection';
import type { Event, RoomState, User } from '../view/types';
import { MemoryBrowser } from './memorystore';
import type { Outbox } from './outbox';
import { type Around, Rooms } from './rooms.svelte';

const ann: User = { id: 'usr_a', kind: 'user', username: 'ann', display_name: 'Ann' };
const bob: User = { id: 'usr_b', kind: 'user', username: 'bob', display_name: 'Bob' };
const at = (n: number) => new Date(n * 1000).toISOString();

const room = (id: string, more: Partial<RoomState> = {}): RoomState => ({
  id,
  kind: 'public',
  name: id,
  head: 1,
  members: 2,
  created_at: at(0),
  last_at: at(1),
  role: 'member',
  read: 1,
  unread: 0,
  mentions: 0,
  ...more,
});
const said = (seq: number, more: Partial<Event> = {}): Event => ({
  room: 'r',
  seq,
  type: 'message.created',
  actor: bob,
  at: at(seq),
  message: { room: 'r', seq, sender: bob, text: `m${seq}`, at: at(seq) },
  ...more,
});
const frame = (type: string, data: unknown) => ({ type, data }) as Frame;
const events = (...all: Event[]) => all.map((e) => frame('event', e));

/** Ann's rooms beside a server that answers sync from a log. */
function start(log: Event[] = []) {
  const syncs: Record<string, number>[] = [];
  const heard = { syncs, news: [] as number[], counted: [0, 0], marked: [] as number[] };
  const server = { room: room('r'), blocked: '' };
  const call = (_: string, path: string) => {
    if (path.includes('/timeline')) return Promise.resolve({ items: [] });
    return Promise.resolve(path.includes('/thread') ? { thread: { following: true, read: 0 } } : server.room);
  };
  const around: Partial<Around> = {
    me: ann.id,
    api: { call } as unknown as Around['api'],
    store: new MemoryBrowser().tab(),
    outbox: { of: () => [], arrived: () => {} } as unknown as Outbox,
    request: async <T>(type: string, data: unknown) => {
      if (type === 'read.mark') {
        heard.marked.push((data as { seq: number }).seq);
        return { room: 'r', seq: (data as { seq: number }).seq, unread: 0, mentions: 0 } as T;
      }
      const ask = (data as { rooms: Record<string, number> }).rooms;
      expect(type).toBe('sync');
      heard.syncs.push(ask);
      return {
        rooms: Object.entries(ask).map(([id, after]) => ({
          room: id,
          events: log.filter((e) => e.room === id && e.seq > after),
        })),
      } as T;
    },
    blocked: (user) => user === server.blocked,
    news: (_, m) => void heard.news.push(m.seq),
    counted: (unread, mentions) => void (heard.counted = [unread, mentions]),
  };
  return { rooms: new Rooms(around as Around), heard, server };
}

const settled = () => new Promise((done) => setTimeout(done));

test('events are taken once and in order, whatever order they come in', async () => {
  const log = [said(2), said(3), said(4), said(5)];
  const { rooms, heard } = start(log);
  await rooms.hello([room('r')]);
  rooms.take(events(said(2), said(2), said(5), said(4)));
  expect(rooms.get('r')).toMatchObject({ head: 2, last: { text: 'm2' } });
  await settled();
  expect(rooms.get('r')).toMatchObject({ head: 5, last: { text: 'm5' }, unread: 4 });
  rooms.take(events(said(3), said(5)));
  expect(rooms.get('r')).toMatchObject({ head: 5, unread: 4 });
  expect(heard).toEqual({ syncs: [{ r: 2 }], news: [2, 3, 4, 5], counted: [4, 0], marked: [] });
});

test('a room is read to its end without being opened, with its mentions and threads', async () => {
  const { rooms, heard } = start();
  await rooms.hello([room('r', { head: 9, unread: 5, mentions: 2, threads: 1 })]);
  rooms.markRead('r');
  rooms.markRead('gone');
  expect(rooms.get('r')).toMatchObject({ read: 9, unread: 0, mentions: 0 });
  await settled();
  expect(heard.marked).toEqual([9]);
  expect(heard.counted).toEqual([0, 0]);
});

test('an event of a room that is not known is not taken', async () => {
  const { rooms, heard } = start([said(2)]);
  await rooms.hello([room('other')]);
  rooms.take(events(said(2), said(7)));
  await settled();
  expect(rooms.get('r')).toBeUndefined();
  expect(heard).toEqual({ syncs: [], news: [], counted: [0, 0], marked: [] });
});

test.each(['left', 'kicked', 'banned', 'deleted'])(
  'a room that the user was %s from goes, with its counts, and says why',
  async (reason) => {
    const { rooms, heard } = start();
    await rooms.hello([room('r', { unread: 3, mentions: 1 }), room('other', { unread: 1 })]);
    expect(heard.counted).toEqual([4, 1]);
    const gone: Event = { room: 'r', seq: 2, type: 'member.left', actor: ann, subject: ann, at: at(2) };
    rooms.take([...events(gone), frame('room.left', { room: 'r', reason }), ...events(said(3))]);
    expect(rooms.list.map((r) => r.id)).toEqual(['other']);
    expect(rooms.goneReason('r')).toBe(reason);
    expect(heard.counted).toEqual([1, 0]);

    rooms.take([frame('room.joined', room('r', { head: 9 })), ...events(said(10))]);
    expect(rooms.get('r')).toMatchObject({ head: 10, unread: 1 });
    expect(rooms.goneReason('r')).toBeUndefined();
  },
);

test('a connection that comes back brings the rooms as they are now, and none that the user is no longer in', async () => {
  const { rooms, heard } = start();
  await rooms.hello([room('r', { unread: 2 }), room('old')]);
  await rooms.hello([room('r', { head: 8, unread: 5 }), room('new', { last_at: at(9) })]);
  expect(rooms.list.map((r) => r.id)).toEqual(['new', 'r']);
  expect(rooms.goneReason('old')).toBe('left');
  expect(heard.counted).toEqual([5, 0]);
  rooms.take(events(said(9)));
  expect(rooms.get('r')).toMatchObject({ head: 9, unread: 6 });
});

test('one’s own messages are not unread, and a read mark of another device counts here', async () => {
  const { rooms, heard } = start();
  await rooms.hello([room('r')]);
  const own = said(3);
  own.message = { ...own.message!, sender: ann };
  rooms.take(events(said(2), own, said(4, { message: { ...said(4).message!, mentions: [ann.id] } })));
  expect(heard).toMatchObject({ news: [2, 4], counted: [2, 1] });
  rooms.take([frame('read', { room: 'r', seq: 2, unread: 1, mentions: 1 })]);
  expect(rooms.get('r')).toMatchObject({ read: 2, unread: 1, mentions: 1 });
  rooms.take([frame('read', { room: 'r', seq: 1, unread: 9 }), frame('read', { room: 'unknown', seq: 1 })]);
  expect(rooms.get('r')).toMatchObject({ read: 2, unread: 1 });
});

test('what is no longer kept is not the last message, and an older floor changes nothing', async () => {
  const { rooms } = start();
  await rooms.hello([room('r', { read: 9 })]);
  rooms.take([...events(said(2), said(3)), frame('room.purged', { room: 'r', floor: 3 })]);
  expect(rooms.get('r')).toMatchObject({ head: 3, floor: 3 });
  expect(rooms.get('r')?.last).toBeUndefined();
  rooms.take([frame('room.purged', { room: 'r', floor: 2 }), frame('room.purged', { room: 'unknown', floor: 2 })]);
  expect(rooms.get('r')?.floor).toBe(3);
});

test('replies in threads are counted by the server, and reading the room does not read them', async () => {
  vi.useFakeTimers();
  const { rooms, heard, server } = start();
  await rooms.hello([room('r')]);
  const reply = (seq: number) => said(seq, { message: { ...said(seq).message!, thread: 1 } });
  rooms.take(events(said(2), reply(3)));
  expect(rooms.get('r')).toMatchObject({ head: 3, unread: 1, last: { seq: 2 } });
  server.room = room('r', { head: 3, unread: 1, mentions: 1, threads: 1 });
  await vi.runAllTimersAsync();
  expect(rooms.get('r')).toMatchObject({ unread: 1, mentions: 1, threads: 1 });
  expect(heard).toMatchObject({ news: [2, 3], counted: [2, 1] });

  rooms.take([frame('read', { room: 'r', seq: 3, mentions: 1, threads: 1 })]);
  expect(rooms.get('r')).toMatchObject({ read: 3, unread: 0, mentions: 1, threads: 1 });
  server.room = room('r', { head: 3, read: 3 });
  const mark = { room: 'r', seq: 3 };
  rooms.take([frame('thread.state', { room: 'r', root: 1, following: true, read: 3, unread: 0, mark })]);
  expect(rooms.get('r')).toMatchObject({ threads: 0 });
  await vi.runAllTimersAsync();
  expect(rooms.get('r')).toMatchObject({ unread: 0, mentions: 0, threads: 0 });
  expect(heard.counted).toEqual([0, 0]);
  vi.useRealTimers();
});

test('messages that are marked as unread again are unread here, and looking at the room leaves them so', async () => {
  vi.useFakeTimers();
  const { rooms, heard, server } = start();
  await rooms.hello([room('r', { head: 5, read: 5 })]);
  const model = rooms.open('r');
  server.room = room('r', { head: 5, read: 2, unread: 3, mentions: 1 });
  rooms.take([frame('read', { room: 'r', seq: 2, unread: 3, mentions: 1, back: true })]);
  model.markRead();
  await vi.runAllTimersAsync();
  expect(rooms.get('r')).toMatchObject({ read: 2, unread: 3, mentions: 1 });
  expect(heard.counted).toEqual([3, 1]);
  rooms.take(events(said(6)));
  expect(rooms.get('r')).toMatchObject({ unread: 4 });
  rooms.take([frame('read', { room: 'r', seq: 1, unread: 9 })]); // one that is late moves nothing back
  expect(rooms.get('r')).toMatchObject({ read: 2, unread: 4 });
  vi.useRealTimers();
});

test('what a blocked person says is not unread and no news, and counts are asked for anew', async () => {
  vi.useFakeTimers();
  const { rooms, heard, server } = start();
  await rooms.hello([room('r')]);
  server.blocked = bob.id;
  const edited = said(2).message!;
  rooms.take(events(said(2), said(3, { type: 'message.deleted', message: { ...edited, deleted_at: at(3) } })));
  expect(rooms.get('r')).toMatchObject({ head: 3, unread: 0, mentions: 0 });
  expect(heard).toMatchObject({ news: [], counted: [0, 0] });

  server.blocked = '';
  server.room = room('r', { head: 3, unread: 1, mentions: 1 });
  rooms.recount();
  await vi.runAllTimersAsync();
  expect(rooms.get('r')).toMatchObject({ unread: 1, mentions: 1 });
  vi.useRealTimers();
});

/** Ann's rooms without a way to the server at first, over what was kept of them. */
function startAway(kept: Event[]) {
  const store = new MemoryBrowser().tab();
  const world = {
    away: true,
    timeline: [] as Event[],
    marked: [] as number[],
    dropped: [] as string[],
    pages: [] as (() => { page: { items: Event[] } } | undefined)[],
  };
  const answer = <T>(value: T) => (world.away ? Promise.reject(new Unreachable('away')) : Promise.resolve(value));
  const rooms = new Rooms({
    me: ann.id,
    api: { call: () => answer({ items: world.timeline }) } as unknown as Around['api'],
    store,
    outbox: { of: () => [], arrived: () => {} } as unknown as Outbox,
    request: <T>(_: string, data: unknown) => {
      if (world.away) return Promise.reject(new Lost());
      const { room: id, seq } = data as { room: string; seq: number };
      world.marked.push(seq);
      return Promise.resolve({ room: id, seq, unread: 0 } as T);
    },
    blocked: () => false,
    news: () => {},
    counted: () => {},
    words: () => 'away',
    wrote: () => {},
    tell: () => {},
    keep: (_: string, page: () => { page: { items: Event[] } } | undefined) => void world.pages.push(page),
    drop: (id: string) => void world.dropped.push(id),
    kept: (id: string) => Promise.resolve(id === 'r' ? { at: 77, page: { items: kept, prev: 'there' } } : undefined),
  } as unknown as Around);
  return { rooms, world };
}

test('without a way to the server a room shows what was kept, and is loaded anew once there is one', async () => {
  const { rooms, world } = startAway([said(1), said(2)]);
  rooms.restore([room('r', { head: 5, unread: 4 }), room('old')]);
  const open = rooms.open('r');
  await settled();
  expect(open).toMatchObject({ phase: 'ready', since: 77 });
  expect(open.events.map((e) => e.seq)).toEqual([1, 2]);
  expect(world.pages.map((page) => page())).toEqual([]); // it is no news

  const edited = said(2, { message: { room: 'r', seq: 2, sender: bob, text: 'corrected', at: at(2), edits: 1 } });
  Object.assign(world, { away: false, timeline: [edited, said(6)] }); // 1 was deleted
  await rooms.hello([room('r', { head: 7, unread: 5 })]);
  rooms.take(events(said(8)));
  await settled();
  expect(open.since).toBeUndefined();
  expect(open.events.map((e) => e.message?.text)).toEqual(['corrected', 'm6', 'm8']);
  expect(world.pages.at(-1)?.()?.page.items).toHaveLength(3);
  expect(rooms.get('old')).toBeUndefined();
  expect(world.dropped).toEqual(['old']);
});

test('what was kept stays old where it cannot be loaded, until somebody tries again', async () => {
  const { rooms, world } = startAway([said(3), said(4)]);
  rooms.restore([room('r', { head: 4, since: 3 })]);
  const open = rooms.open('r');
  await settled();
  expect(open.events.map((e) => e.seq)).toEqual([4]); // what the user is not to see any more is not shown either
  await rooms.hello([room('r', { head: 5 })]); // connected, but the timeline is refused
  await settled();
  expect(open.since).toBe(77);
  Object.assign(world, { away: false, timeline: [said(4), said(5)] });
  rooms.take(events(said(6)));
  open.older(); // lines above do not make those below new
  await settled();
  expect(open.since).toBe(77);
  open.retryLoad();
  await settled();
  expect(open.since).toBeUndefined();
  expect(open.events.map((e) => e.seq)).toEqual([4, 5]);
});

test('a room that is being opened when the way is back is loaded', async () => {
  const { rooms, world } = startAway([said(1)]);
  rooms.restore([room('r')]);
  const open = rooms.open('r');
  Object.assign(world, { away: false, timeline: [said(1), said(2)] });
  await rooms.hello([room('r')]);
  await settled();
  expect(open.since).toBeUndefined();
  expect(open.events.map((e) => e.seq)).toEqual([1, 2]);
});

test('what was read without a way to the server is marked once there is one, and no more than was shown', async () => {
  const { rooms, world } = startAway([said(1), said(2), said(3)]);
  rooms.restore([room('r', { head: 5, unread: 4 })]);
  const open = rooms.open('r');
  await settled();
  open.markRead();
  open.markRead();
  await settled();
  expect(rooms.get('r')?.read).toBe(3);
  expect(world.marked).toEqual([]);
  Object.assign(world, { away: false });
  await rooms.hello([room('r', { head: 5, unread: 4 })]);
  expect(world.marked).toEqual([3]);
  expect(rooms.get('r')?.read).toBe(3);
});

test('a room of which nothing was kept says so, and is loaded once there is a way to the server', async () => {
  const { rooms, world } = startAway([]);
  rooms.restore([room('other')]);
  const open = rooms.open('other');
  await settled();
  expect(open.phase).toBe('failed');
  Object.assign(world, { away: false, timeline: [said(1, { room: 'other' })] });
  await rooms.hello([room('other')]);
  await settled();
  expect(open).toMatchObject({ phase: 'ready', since: undefined });
});

test('what is kept of a room that is not open goes when a message of it is edited or deleted', async () => {
  const { rooms, world } = startAway([]);
  world.away = false;
  await rooms.hello([room('r')]);
  rooms.take(events(said(2)));
  expect(world.dropped).toEqual([]);
  rooms.take(events(said(3, { type: 'message.deleted', message: { ...said(2).message!, deleted_at: at(3) } })));
  expect(world.dropped).toEqual(['r']);
});

test('what is kept of an open room whose end is not shown goes when a message of it is deleted', async () => {
  const { rooms, world } = startAway([said(1)]);
  rooms.restore([room('r')]);
  const open = rooms.open('r'); // shows what was kept, and cannot be loaded
  await settled();
  await rooms.hello([room('r')]);
  await settled();
  expect(open.since).toBe(77);
  rooms.take(events(said(2)));
  expect(world.dropped).toEqual([]);
  rooms.take(events(said(3, { type: 'message.deleted', message: { ...said(1).message!, deleted_at: at(3) } })));
  expect(world.dropped).toEqual(['r']);
});

test('what is kept of a room goes when the room has to be read anew', async () => {
  const { rooms, world } = startAway([]);
  world.away = false;
  await rooms.hello([room('r'), room('s')]);
  rooms.take([frame('room.reset', { room: 'r' }), frame('room.joined', room('s', { head: 9 }))]);
  await settled();
  expect(world.dropped.toSorted()).toEqual(['r', 's']);
});
