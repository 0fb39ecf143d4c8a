import { beforeEach, expect, test, vi } from 'vitest';
import { Refusal } from '../net/api';
import { Lost, type Connection } from '../net/connection';
import type { User } from '../view/types';
import { Outbox } from './outbox';

const me: User = { id: 'usr_1', kind: 'user', username: 'ann', display_name: 'Ann' };

interface Asked {
  key: string;
  text: string;
}

/** A server that answers as the test says. */
class Server {
  live = true;
  asked: Asked[] = [];
  answer: (a: Asked) => Promise<unknown> = () => Promise.resolve({ seq: this.asked.length });

  request(_type: string, data: Asked) {
    this.asked.push(data);
    return this.answer(data);
  }
}

let server: Server;
let kept: Map<string, string>;

const outbox = (head = 0) =>
  new Outbox(
    me,
    server as unknown as Connection,
    () => {},
    () => head,
  );
const settle = () => vi.waitFor(() => new Promise((done) => setTimeout(done)));

beforeEach(() => {
  server = new Server();
  kept = new Map();
  vi.stubGlobal('localStorage', {
    getItem: (k: string) => kept.get(k) ?? null,
    setItem: (k: string, v: string) => kept.set(k, v),
    removeItem: (k: string) => kept.delete(k),
  });
});

test('messages go one after the other, and stay visible until their event arrives', async () => {
  const o = outbox();
  o.add('room_1', 'one');
  o.add('room_1', 'two');
  await settle();
  expect(server.asked.map((a) => a.text)).toEqual(['one', 'two']);
  expect(o.of('room_1').map((p) => p.message.text)).toEqual(['one', 'two']);
  expect(kept.size).toBe(0);
  for (const a of server.asked) o.arrived('room_1', a.key);
  expect(o.of('room_1')).toEqual([]);
});

test('what was lost on the way is sent again under the same key, after a reload too', async () => {
  server.answer = () => Promise.reject(new Lost());
  outbox().add('room_1', 'one');
  await settle();
  server.answer = () => Promise.resolve({});
  const o = outbox(); // the page was loaded anew
  expect(o.of('room_1').map((p) => p.state)).toEqual(['pending']);
  o.flushAll();
  await settle();
  expect(new Set(server.asked.map((a) => a.key)).size).toBe(1);
  expect(server.asked.length).toBe(2);
});

test('what was written before the page was loaded anew is not shown below what is loaded', async () => {
  server.answer = () => Promise.reject(new Lost()); // only the answer is
  outbox().add('room_1', 'one');
  await settle();
  server.answer = () => Promise.resolve({ seq: 7 });
  const o = outbox(8);
  o.flushAll();
  await settle();
  expect(o.of('room_1')).toEqual([]);
  expect(kept.size).toBe(0);
});

test('nothing is sent while there is no connection', async () => {
  server.live = false;
  const o = outbox();
  o.add('room_1', 'one');
  await settle();
  expect(server.asked).toEqual([]);
  expect(o.of('room_1').length).toBe(1);
});

test('a refusal stays to be tried again or dropped, and holds up nothing', async () => {
  server.answer = (a) => (a.text === 'bad' ? Promise.reject(new Refusal(0, { kind: 'forbidden', detail: 'you are muted' })) : Promise.resolve({}));
  const o = outbox();
  o.add('room_1', 'bad');
  o.add('room_1', 'good');
  await settle();
  const failed = o.of('room_1').find((p) => p.state === 'failed');
  expect(failed?.why).toBe('you are muted');
  expect(server.asked.map((a) => a.text)).toEqual(['bad', 'good']);
  const key = failed?.message.key ?? '';
  server.answer = () => Promise.resolve({});
  o.retry(key);
  await settle();
  expect(server.asked.at(-1)?.key).toBe(key);
  o.arrived('room_1', key);
  expect(o.of('room_1').some((p) => p.state === 'failed')).toBe(false);
});

test('a message can be dropped', async () => {
  server.live = false;
  const o = outbox();
  o.add('room_1', 'one');
  o.discard(o.of('room_1')[0]?.message.key ?? '');
  expect(o.of('room_1')).toEqual([]);
  expect(kept.size).toBe(0);
});
