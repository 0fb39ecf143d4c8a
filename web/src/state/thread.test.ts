import { expect, test } from 'vitest';
import type { Event, Message, User } from '../view/types';
import { MemoryBrowser } from './memorystore';
import type { Around } from './room.svelte';
import { OpenThread } from './thread.svelte';

const ann: User = { id: 'usr_a', kind: 'user', username: 'ann', display_name: 'Ann' };
const message = (seq: number, more: Partial<Message> = {}): Message => ({
  room: 'r',
  seq,
  sender: ann,
  text: `m${seq}`,
  at: new Date(seq * 1000).toISOString(),
  ...(seq !== 1 && { thread: 1 }),
  ...more,
});
const event = (seq: number, type: string, m?: Message, of?: number): Event => ({
  room: 'r',
  seq,
  type,
  actor: ann,
  at: '',
  ...(m && { message: m }),
  ...(of && { detail: { of, emoji: '👍' } }),
});
const said = (m: Message) => event(m.seq, 'message.created', m);

/** A thread of so many replies beside a server with pages of two. */
function start(replies: number) {
  const all = Array.from({ length: replies }, (_, i) => message(i + 2));
  const asked: string[] = [];
  const marks: number[] = [];
  const page = (query: string) => {
    const q = new URLSearchParams(query);
    const cursor = q.get('cursor') ?? '';
    const after = Number(q.get('after') ?? (cursor.startsWith('a') ? cursor.slice(1) : 0));
    const older = all.filter((m) => m.seq < Number(cursor.slice(1) || Infinity)).slice(-2);
    const items = after ? all.filter((m) => m.seq > after).slice(0, 2) : older;
    const [first, last] = [items[0]?.seq ?? 0, items.at(-1)?.seq ?? 0];
    return {
      items: items.map(said),
      thread: { root: 1, following: true, read: 2, unread: 0, first: message(1) },
      ...(all.some((m) => m.seq < first) && { prev: `b${first}` }),
      ...(all.some((m) => m.seq > last) && { next: `a${last}` }),
    };
  };
  const around: Partial<Around> = {
    me: ann.id,
    store: new MemoryBrowser().tab(),
    outbox: { of: () => [] } as unknown as Around['outbox'],
    api: {
      call: (_: string, path: string) => (asked.push(path), Promise.resolve(page(path.split('?')[1] ?? ''))),
    } as unknown as Around['api'],
    request: <T>(_: string, data: unknown) => Promise.resolve(void marks.push((data as { seq: number }).seq) as T),
  };
  return { thread: new OpenThread('r', 1, around as Around), marks, asked };
}
const seqs = (t: OpenThread) => t.events.map((e) => e.seq);
const settled = () => new Promise((done) => setTimeout(done));

test('a thread takes its own replies and what happens to them, and no line of the room', async () => {
  const { thread } = start(2);
  await thread.show();
  const elsewhere = message(5, { thread: 4 });
  thread.apply([said({ ...message(4), thread: undefined } as unknown as Message), said(elsewhere), said(message(6))]);
  thread.apply([event(7, 'message.edited', message(3, { text: 'other', edits: 1 }))]);
  thread.apply([event(8, 'message.deleted', message(2, { text: '', deleted_at: 'now' }))]);
  thread.apply([event(9, 'reaction.added', undefined, 6), event(10, 'reaction.added', undefined, 1)]);
  expect(thread.events.map((e) => e.message?.text)).toEqual(['other', 'm6']);
  expect(thread.events.at(-1)?.message?.reactions).toMatchObject([{ emoji: '👍', count: 1 }]);
  expect(thread.first?.reactions).toMatchObject([{ emoji: '👍', count: 1 }]);
});

test('around a reply it goes on to both ends, and takes what comes at its own end alone', async () => {
  const { thread } = start(8);
  await thread.show(5);
  expect([seqs(thread), thread.hasOlder, thread.hasNewer]).toEqual([[5, 6], true, true]);
  thread.apply([said(message(20))]);
  expect(seqs(thread)).toEqual([5, 6]);
  thread.older();
  await settled();
  thread.newer();
  await settled();
  thread.newer();
  await settled();
  thread.older();
  await settled();
  expect([seqs(thread), thread.hasOlder, thread.hasNewer]).toEqual([[2, 3, 4, 5, 6, 7, 8, 9], false, false]);
});

test('what comes while a page is on its way is in it once, and is marked as read once', async () => {
  const { thread, marks } = start(2);
  const shown = thread.show();
  thread.apply([said(message(3)), said(message(4))]);
  await shown;
  expect(seqs(thread)).toEqual([2, 3, 4]);
  thread.markRead();
  thread.markRead();
  expect(marks).toEqual([4]);
  thread.stands({ following: false, read: 4 });
  expect(thread.state).toMatchObject({ following: false, read: 4 });
});

test('a thread that is unread again stays so until it is opened again', async () => {
  const { thread, marks, asked } = start(3);
  await thread.show();
  thread.markRead();
  expect(marks).toEqual([4]);
  await thread.markUnread(3);
  expect(asked.at(-1)).toBe('/rooms/r/messages/3/unread');
  thread.stands({ following: true, read: 2, back: true });
  expect(thread.state?.read).toBe(2);
  thread.markRead();
  expect(marks).toEqual([4]);
  thread.keepUnread(false);
  thread.markRead();
  expect(marks).toEqual([4, 4]);
});

test('replies that are marked as unread elsewhere are unread here', async () => {
  const { thread, marks } = start(3);
  await thread.show();
  thread.markRead();
  thread.stands({ following: true, read: 2, back: true });
  thread.markRead();
  expect([thread.state?.read, marks]).toEqual([2, [4]]);
  thread.stands({ following: true, read: 4 });
  thread.stands({ following: true, read: 3 });
  expect(thread.state?.read).toBe(4);
});
