import { expect, test } from 'vitest';
import { latestFirst } from '../view/order';
import type { Event, Message, RoomState, User } from '../view/types';
import { purge, reduce } from './reduce';

const ann: User = { id: 'usr_a', kind: 'user', username: 'ann', display_name: 'Ann' };
const bob: User = { id: 'usr_b', kind: 'user', username: 'bob', display_name: 'Bob' };
const at = (n: number) => new Date(n * 1000).toISOString();

const room = (more: Partial<RoomState> = {}): RoomState => ({
  id: 'room_1',
  kind: 'public',
  name: 'Den',
  head: 1,
  members: 2,
  created_at: at(0),
  last_at: at(1),
  role: 'member',
  read: 0,
  unread: 0,
  mentions: 0,
  ...more,
});
const message = (seq: number, text: string): Message => ({ room: 'room_1', seq, sender: bob, text, at: at(seq) });
const event = (seq: number, type: string, more: Partial<Event> = {}): Event => ({
  room: 'room_1',
  seq,
  type,
  actor: bob,
  at: at(seq),
  ...more,
});
const after = (r: RoomState, ...events: Event[]) => events.reduce((state, e) => reduce(state, e, ann.id), r);

test('only a new message moves a room and is its last', () => {
  const said = after(room(), event(2, 'message.created', { message: message(2, 'one') }));
  expect(said).toMatchObject({ head: 2, last_at: at(2), last: { text: 'one' } });
  const later = after(
    said,
    event(3, 'member.joined', { subject: ann }),
    event(4, 'room.updated', { detail: { topic: 'tea' } }),
    event(5, 'member.muted', { subject: ann, detail: { until: at(99) } }),
    event(6, 'message.edited', { message: message(2, 'two') }),
    event(7, 'message.edited', { message: message(1, 'an older one') }),
  );
  expect(later).toMatchObject({
    head: 7,
    last_at: at(2),
    last: { text: 'two' },
    topic: 'tea',
    members: 3,
    muted_until: at(99),
  });
});

test('the room before an event stays as it was', () => {
  const before = Object.freeze(room());
  after(before, event(2, 'room.updated', { detail: { name: 'Hall', archived: true } }));
  expect(before).toEqual(room());
});

test('members are counted, and roles and mutes of others are theirs', () => {
  const r = after(
    room(),
    event(2, 'member.left', { subject: bob }),
    event(3, 'member.banned', { subject: bob }),
    event(4, 'member.role', { subject: bob, detail: { role: 'admin' } }),
    event(5, 'member.muted', { subject: bob, detail: { until: at(99) } }),
  );
  expect(r).toMatchObject({ members: 1, role: 'member' });
  expect(r.muted_until).toBeUndefined();
  expect(after(r, event(6, 'member.role', { subject: ann, detail: { role: 'admin' } })).role).toBe('admin');
});

test.each([
  ['joined', 'member.joined', {}, 3],
  ['left', 'member.left', {}, 1],
  ['kicked', 'member.kicked', { reason: 'noise' }, 1],
  ['banned as a member', 'member.banned', { role: 'member' }, 1],
  ['banned without having been in it', 'member.banned', {}, 2],
  ['unbanned', 'member.unbanned', {}, 2],
])('somebody %s: the members are counted', (_, type, detail, members) => {
  for (const subject of [ann, bob]) expect(after(room(), event(2, type, { subject, detail })).members).toBe(members);
});

test.each([
  [{ name: 'Hall' }, { name: 'Hall' }],
  [{ topic: '' }, { topic: '' }],
  [{ kind: 'private' }, { kind: 'private' }],
  [{ archived: true }, { archived: true }],
  [{ archived: false }, { archived: false }],
  [{ held: true }, { held: true }],
  [{ held: false }, { held: false }],
  [{ retention: { days: 7 } }, { retention: { days: 7 } }],
  [{ retention: { server: true } }, { retention: undefined }],
  [{}, {}],
])('a change of the room to %o changes that and nothing else', (detail, want) => {
  const before = room({ topic: 'tea', retention: { days: 30 }, archived: false, held: true });
  expect(after(before, event(2, 'room.updated', { detail }))).toEqual({ ...before, head: 2, ...want });
});

test('a mute ends, and one of somebody else changes nothing', () => {
  const muted = room({ muted_until: at(99) });
  expect(after(muted, event(2, 'member.muted', { subject: bob })).muted_until).toBe(at(99));
  expect(after(muted, event(2, 'member.muted', { subject: ann })).muted_until).toBeUndefined();
});

test('the last message is shown as it is now, and a change of an older one moves nothing', () => {
  const r = room({ last: message(3, 'three'), head: 3 });
  const deleted: Message = { ...message(3, ''), deleted_at: at(4) };
  expect(after(r, event(4, 'message.deleted', { message: deleted })).last).toEqual(deleted);
  expect(after(r, event(4, 'message.deleted', { message: { ...deleted, seq: 2 } })).last?.text).toBe('three');
});

test('an event of a later server moves the head alone', () => {
  expect(
    after(
      room(),
      event(2, 'room.painted', { subject: ann, detail: { colour: 'red' } as NonNullable<Event['detail']> }),
    ),
  ).toEqual(room({ head: 2 }));
});

test('a last message that is no longer kept is not shown', () => {
  const r = room({ last: message(5, 'old') });
  expect(purge(r, 5).last).toBeUndefined();
  expect(purge(r, 4).last?.text).toBe('old');
});

test('the order of rooms is total: it does not depend on the order before', () => {
  const rooms = ['c', 'a', 'd', 'b'].map((id, i) => room({ id, last_at: i < 2 ? at(5) : '1970-01-01T00:00:05.500Z' }));
  const want = ['b', 'd', 'a', 'c'];
  expect([...rooms].sort(latestFirst).map((r) => r.id)).toEqual(want);
  expect(
    [...rooms]
      .reverse()
      .sort(latestFirst)
      .map((r) => r.id),
  ).toEqual(want);
});
