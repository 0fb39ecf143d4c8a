import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FileLinks } from './filelinks';

const hour = 3_600_000;
let asked: string[][];
let gone: string[];
let away: boolean;

const links = () =>
  new FileLinks((files) => {
    asked.push(files);
    if (away) return Promise.reject(new Error('away'));
    const there = files.filter((f) => !gone.includes(f));
    return Promise.resolve({
      expires_at: new Date(Date.now() + 6 * hour).toISOString(),
      links: Object.fromEntries(there.map((f) => [f, { content: `/${f}?${asked.length}` }])),
    });
  });

beforeEach(() => {
  vi.useFakeTimers();
  [asked, gone, away] = [[], [], false];
});
afterEach(() => vi.useRealTimers());

test('files that are shown together are asked for together, and once', async () => {
  const l = links();
  const got: unknown[] = [];
  for (const file of ['a', 'b', 'a']) l.watch(file, (link) => got.push(link?.content));
  await vi.advanceTimersByTimeAsync(30);
  expect(asked).toEqual([['a', 'b']]);
  expect(got).toEqual(['/a?1', '/a?1', '/b?1']);
  l.watch('a', (link) => got.push(link?.content));
  expect(got.at(-1)).toBe('/a?1'); // at once
  await vi.advanceTimersByTimeAsync(30);
  expect(asked.length).toBe(1);
});

test('no more than a hundred are asked for with one request', async () => {
  const l = links();
  for (let i = 0; i < 130; i++) l.watch(`f${i}`, () => {});
  await vi.advanceTimersByTimeAsync(30);
  expect(asked.map((files) => files.length)).toEqual([100, 30]);
});

test('links of what is looked at are renewed before they end, and of nothing else', async () => {
  const l = links();
  const got: unknown[] = [];
  l.watch('a', (link) => got.push(link?.content));
  l.watch('b', () => {})();
  await vi.advanceTimersByTimeAsync(30);
  await vi.advanceTimersByTimeAsync(6 * hour - 11 * 60_000);
  expect(asked.length).toBe(1);
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  expect(asked.slice(1)).toEqual([['a']]);
  expect(got).toEqual(['/a?1', '/a?2']);
  expect(l.known('b')).toBeUndefined();
});

test('links that end first are renewed first, and those of later at their time', async () => {
  const l = links();
  l.watch('a', () => {});
  await vi.advanceTimersByTimeAsync(3 * hour);
  l.watch('b', () => {});
  await vi.advanceTimersByTimeAsync(3 * hour - 9 * 60_000);
  expect(asked).toEqual([['a'], ['b'], ['a']]);
  await vi.advanceTimersByTimeAsync(3 * hour);
  expect(asked.slice(3)).toEqual([['b']]);
});

test('a file that is gone is told as gone', async () => {
  gone = ['a'];
  const l = links();
  const got: unknown[] = [];
  l.watch('a', (link) => got.push(link));
  await vi.advanceTimersByTimeAsync(30);
  expect(got).toEqual([null]);
});

test('a request that failed is made again while somebody looks', async () => {
  away = true;
  const l = links();
  const got: unknown[] = [];
  l.watch('a', (link) => got.push(link?.content));
  l.watch('b', () => {})();
  await vi.advanceTimersByTimeAsync(30);
  away = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toEqual([['a', 'b'], ['a']]);
  expect(got).toEqual(['/a?2']);
});

test('an address that did not work is asked for again, once for all who wait', async () => {
  const l = links();
  const got: unknown[] = [];
  l.watch('a', (link) => got.push(link?.content));
  await vi.advanceTimersByTimeAsync(30);
  const renewed = l.renew('a');
  await vi.advanceTimersByTimeAsync(30);
  expect((await renewed)?.content).toBe('/a?2');
  expect(got).toEqual(['/a?1', '/a?2']);
});
