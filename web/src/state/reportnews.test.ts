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

test('who decides hears of reports of others, and of decisions, by the queue that has changed', () => {
  const own = new OwnReports();
  const told = (as: string, state: string, more = {}) =>
    own.take({ type: 'report.changed', data: { room: 'room_1', seq: 7, state, as, ...more } });
  told('moderator', 'open', { own: true });
  told('reporter', 'kept');
  expect(own.desk).toBeUndefined();
  told('moderator', 'open');
  expect(own.desk).toEqual({ room: 'room_1', open: true });
  told('admin', 'removed');
  expect(own.desk).toEqual({ room: '', open: false });
});
