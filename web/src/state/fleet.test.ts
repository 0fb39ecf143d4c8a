import { expect, test } from 'vitest';
import type { Api } from '../net/api';
import type { FleetDevice } from '../view/fleetport';
import type { Me } from '../view/types';
import { Fleet } from './fleet.svelte';

const noApi = {} as Api<Me>;

/** A fleet, and what it asked the server to follow. */
function fleet() {
  const asked: string[][] = [];
  const made = new Fleet(noApi, <T>(_: string, data: unknown) => {
    asked.push([...(data as { devices: string[] }).devices]);
    return Promise.resolve({ devices: [] } as T);
  });
  return { made, asked };
}

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

test('values of what is followed are shown, the newest of each', () => {
  const { made } = fleet();
  made.watch(['a']);
  made.take({ device: 'a', at: at(2), values: { t: 2, door: true } });
  made.take({ device: 'a', at: at(1), values: { t: 1 } });
  made.take({ device: 'a', at: at(3), values: { door: false } });
  made.take({ device: 'b', at: at(3), values: { t: 9 } });
  expect([...(made.live('a') ?? [])].map(([name, v]) => [name, v.value])).toEqual([
    ['t', 2],
    ['door', false],
  ]);
  expect(made.live('b')).toBe(undefined);
  made.watch([]);
  expect(made.live('a')).toBe(undefined);
});

test('a new connection is asked again for what is followed', () => {
  const { made, asked } = fleet();
  made.rewatch();
  made.watch(['b', 'a', 'b']);
  made.watch(['a', 'b']);
  made.rewatch();
  made.watch([]);
  expect(asked).toEqual([['a', 'b'], ['a', 'b'], []]);
});

test('old news of a device that came or went is left out', () => {
  const { made } = fleet();
  const device = { id: 'a', status: { state: 'online', session: 2, since: at(2) } } as FleetDevice;
  const news = (session: number, state: 'online' | 'offline') =>
    made.came([{ device: 'a', session, state, since: at(session) }]);
  const now = () => [made.status(device)?.session, made.status(device)?.state];
  news(1, 'offline');
  expect(now()).toEqual([2, 'online']);
  news(2, 'offline');
  expect(now()).toEqual([2, 'offline']);
  news(2, 'online');
  expect(now()).toEqual([2, 'offline']);
  news(3, 'online');
  news(2, 'offline');
  expect(now()).toEqual([3, 'online']);
});
