import { beforeEach, expect, test, vi } from 'vitest';
import type { Message, User } from '../view/types';
import { Followed, type Standing } from './followed';

const bob: User = { id: 'usr_b', kind: 'user', username: 'bob', display_name: 'Bob' };
const reply = (seq: number, thread: number): Message => ({ room: 'r', seq, thread, sender: bob, text: 'x', at: '' });

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

/** A server on which threads are followed, or are not. */
function start(follows: Record<number, Standing>) {
  const heard = { asked: [] as number[], counts: 0 };
  const followed = new Followed({
    standing: (_, root) => {
      heard.asked.push(root);
      const is = follows[root];
      return is ? Promise.resolve(is) : Promise.reject(new Error('offline'));
    },
    count: () => Promise.resolve(void heard.counts++),
  });
  return { followed, heard };
}

test('the server is asked once about a thread, and counts once for all that comes together', async () => {
  const { followed, heard } = start({ 1: { following: true, read: 0 }, 2: { following: false, read: 0 } });
  const concerns = [10, 11, 12].map((seq) => followed.concerns(reply(seq, 1), false));
  expect(await Promise.all(concerns)).toEqual([true, true, true]);
  expect(await followed.concerns(reply(13, 2), false)).toBe(false);
  expect(await followed.concerns(reply(14, 2), true)).toBe(true); // it names the user
  await vi.runAllTimersAsync();
  expect(heard).toEqual({ asked: [1, 2], counts: 1 });
});

test('what happens while the server counts makes it count again', async () => {
  const { followed, heard } = start({});
  let done: () => void = () => {};
  const slow = new Followed({
    standing: () => Promise.reject(new Error('not asked')),
    count: () => (heard.counts++, new Promise((end) => (done = end))),
  });
  void slow.ask('r');
  await vi.runAllTimersAsync();
  slow.take({ room: 'r', root: 1, following: true, read: 4 });
  done();
  await vi.runAllTimersAsync();
  done();
  expect(heard.counts).toBe(2);
  expect(followed.hasRead(reply(4, 1))).toBe(false);
  expect([slow.hasRead(reply(4, 1)), slow.hasRead(reply(5, 1))]).toEqual([true, false]);
});

test('what was told while the answer was on its way is kept, and a failure is asked about again', async () => {
  let answer: (s: Standing) => void = () => {};
  const followed = new Followed({
    standing: () => new Promise((done) => (answer = done)),
    count: () => Promise.resolve(),
  });
  const concerns = followed.concerns(reply(10, 1), false);
  followed.take({ room: 'r', root: 1, following: true, read: 9 });
  answer({ following: false, read: 0 });
  expect(await concerns).toBe(true);
  const { followed: offline, heard } = start({});
  expect(await offline.concerns(reply(10, 3), false)).toBe(false);
  expect(await offline.concerns(reply(11, 3), false)).toBe(false);
  expect(heard.asked).toEqual([3, 3]);
});
