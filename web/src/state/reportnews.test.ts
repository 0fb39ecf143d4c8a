import { expect, test } from 'vitest';
import { OwnReports } from './reportnews.svelte';

test('a decision is told to who reported, and a queue is asked for anew', () => {
  const own = new OwnReports();
  const told = (as: string, state: string) =>
    own.take({ type: 'report.changed', data: { room: 'room_1', seq: 7, state, as } });
  told('moderator', 'open');
  expect([own.news, own.decided]).toEqual([1, undefined]);
  told('moderator', 'removed'); // decided by a colleague
  expect([own.news, own.decided]).toEqual([2, undefined]);
  told('reporter', 'kept');
  expect(own.decided).toEqual({ room: 'room_1', seq: 7, state: 'kept' });
  own.take({ type: 'saved', data: {} });
  expect(own.news).toBe(3);
  own.hello();
  expect(own.news).toBe(4);
});
