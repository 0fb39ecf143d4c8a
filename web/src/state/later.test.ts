import { beforeEach, expect, test, vi } from 'vitest';
import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Me } from '../view/types';
import { OwnLater } from './later.svelte';

let lists: Record<string, object[]>;
let asked: [method: string, path: string, body: Record<string, unknown> | undefined][];
let refuse: boolean;
const api = {
  call: (method: string, path: string, body?: Record<string, unknown>) => {
    asked.push([method, path, body]);
    return refuse ? Promise.reject(new Error('away')) : Promise.resolve({ items: lists[path] ?? [] });
  },
} as unknown as Api<Me>;
const frame = (type: string, data: object) => ({ type, data }) as Frame;
const early = { id: 'sch_1', room: 'r', text: 'a', at: '2026-12-01T08:00:00Z', state: 'waiting' };
const late = { ...early, id: 'sch_2', at: '2026-12-02T08:00:00Z' };

beforeEach(() => {
  lists = { '/me/scheduled': [late], '/me/reminders': [] };
  asked = [];
  refuse = false;
});

test('the lists follow what is told, in the order of their times', async () => {
  const later = new OwnLater(api, () => {});
  await later.load();
  later.take(frame('scheduled', { id: 'sch_1', scheduled: early }));
  expect(later.scheduled?.map((m) => m.id)).toEqual(['sch_1', 'sch_2']);
  later.take(frame('scheduled', { id: 'sch_2', scheduled: { ...late, state: 'failed', failure: 'muted' } }));
  expect(later.due).toBe(1);
  later.take(frame('scheduled', { id: 'sch_2' }));
  expect([later.scheduled?.map((m) => m.id), later.due]).toEqual([['sch_1'], 0]);
});

test('what is told while a list is on its way counts', async () => {
  const later = new OwnLater(api, () => {});
  const loaded = later.load();
  later.take(frame('scheduled', { id: 'sch_2' }));
  await loaded;
  expect(later.scheduled).toEqual([]);
});

test('a list that cannot be loaded says so, and keeps what was known', async () => {
  const later = new OwnLater(api, () => {});
  await later.load();
  refuse = true;
  await later.load();
  expect([later.failed, later.scheduled?.length]).toEqual([new Error('away'), 1]);
  refuse = false;
  await later.load();
  expect(later.failed).toBeUndefined();
});

test('a reminder is told of when it comes, and not when it is put off or told again', async () => {
  const arrived = vi.fn();
  const later = new OwnLater(api, arrived);
  await later.load();
  const r = { id: 'rmd_1', text: 'tea', at: '2026-12-01T08:00:00Z' };
  const came = { ...r, at: undefined, since: '2026-12-01T08:00:00Z' };
  for (const reminder of [r, came, came, r, { ...came, since: '2026-12-02T08:00:00Z' }])
    later.take(frame('reminder', { id: r.id, reminder }));
  expect(arrived).toHaveBeenCalledTimes(2);
  expect([later.due, later.came?.since]).toEqual([1, '2026-12-02T08:00:00Z']);
});

test('to try again adds nothing twice, and another time is another message', async () => {
  const later = new OwnLater(api, () => {});
  const at = new Date('2026-12-01T08:00:00Z');
  refuse = true;
  await later.schedule('r', undefined, 'a', { at }).catch(() => {});
  refuse = false;
  await later.schedule('r', undefined, 'a', { at });
  await later.schedule('r', undefined, 'a', { at });
  const keys = asked.map(([, , body]) => body?.['key']);
  expect([keys[0] === keys[1], keys[1] === keys[2]]).toEqual([true, false]);
});
