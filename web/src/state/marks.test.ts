import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Lost } from '../net/connection';
import { MemoryBrowser } from './memorystore';
import { Marks } from './marks';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const made = (send: (room: string, seq: number) => Promise<void>, browser = new MemoryBrowser()) =>
  new Marks(send, browser.tab(), 'marks');

test('what is read while a mark is on its way is marked once, a moment after its answer', async () => {
  const sent: number[] = [];
  const answers: (() => void)[] = [];
  const marks = made((_, seq) => {
    sent.push(seq);
    return new Promise((done) => answers.push(done));
  });
  const done = marks.mark('room', 1);
  void marks.mark('room', 2);
  void marks.mark('room', 3);
  expect(sent).toEqual([1]);
  answers.shift()?.();
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toEqual([1]);
  await vi.advanceTimersByTimeAsync(200);
  expect(sent).toEqual([1, 3]);
  answers.shift()?.();
  await vi.runAllTimersAsync();
  await done;
  expect(sent).toEqual([1, 3]);
});

test('after a failure the next mark is sent again', async () => {
  let fail = true;
  const sent: number[] = [];
  const marks = made((_, seq) => {
    sent.push(seq);
    return fail ? Promise.reject(new Error('away')) : Promise.resolve();
  });
  await marks.mark('room', 1);
  fail = false;
  void marks.mark('room', 1);
  expect(sent).toEqual([1, 1]);
});

test('once stopped, no mark follows, and the one on its way has been answered', async () => {
  const sent: number[] = [];
  const answers: (() => void)[] = [];
  const marks = made((_, seq) => {
    sent.push(seq);
    return new Promise((done) => answers.push(done));
  });
  const done = marks.mark('room', 1);
  void marks.mark('room', 2);
  let stopped = false;
  const stop = marks.stop('room').then(() => (stopped = true));
  await vi.runAllTimersAsync();
  expect(stopped).toBe(false);
  answers.shift()?.();
  await stop;
  void marks.mark('room', 2); // it is read again
  await vi.runAllTimersAsync();
  await done;
  expect(sent).toEqual([1, 2]);
});

test('what was read without a way to the server is kept, also beyond the page, until it is taken', async () => {
  const browser = new MemoryBrowser();
  const marks = made(() => Promise.reject(new Lost()), browser);
  await marks.mark('room', 7);
  await marks.mark('room', 5); // never back
  marks.keep('other', 2);
  const next = made(() => Promise.resolve(), browser);
  expect(next.take()).toEqual({ room: 7, other: 2 });
  expect(next.take()).toEqual({});
});

test('a mark that the server refuses is not kept', async () => {
  const marks = made(() => Promise.reject(new Error('you are not a member')));
  await marks.mark('room', 7);
  expect(marks.take()).toEqual({});
});
