import { beforeEach, expect, test, vi } from 'vitest';
import { Refusal } from '../net/api';
import { Lost } from '../net/connection';
import type { User } from '../view/types';
import { MemoryBrowser } from './memorystore';
import { Outbox } from './outbox';

const me: User = { id: 'usr_1', kind: 'user', username: 'ann', display_name: 'Ann' };

interface Asked {
  key: string;
  text: string;
  files?: string[];
  thread?: number;
  broadcast?: boolean;
}

/** A server that answers as the test says. */
class Server {
  live = true;
  asked: Asked[] = [];
  answer: (a: Asked) => Promise<unknown> = () => Promise.resolve({ seq: this.asked.length });

  request<T>(_type: string, data: unknown): Promise<T> {
    this.asked.push(data as Asked);
    return this.answer(data as Asked) as Promise<T>;
  }
}

let server: Server;
let browser: MemoryBrowser;

const outbox = (head = 0, link = server) =>
  new Outbox({ me, store: browser.tab(), link, changed: () => {}, head: () => head });
const texts = (o: Outbox) => o.of('room_1').map((p) => p.message.text);
const settle = () => vi.waitFor(() => new Promise((done) => setTimeout(done)));

beforeEach(() => {
  server = new Server();
  browser = new MemoryBrowser();
});

test('messages go one after the other, and stay visible until their event arrives', async () => {
  const o = outbox();
  o.add('room_1', 'one');
  o.add('room_1', 'two');
  await settle();
  expect(server.asked.map((a) => a.text)).toEqual(['one', 'two']);
  expect(o.of('room_1').map((p) => p.message.text)).toEqual(['one', 'two']);
  expect(browser.disk.size).toBe(0);
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
  expect(browser.disk.size).toBe(0);
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
  server.answer = (a) =>
    a.text === 'bad'
      ? Promise.reject(new Refusal(0, { kind: 'forbidden', detail: 'you are muted' }))
      : Promise.resolve({});
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
  expect(browser.disk.size).toBe(0);
});

test('two tabs keep both of what is written in them without a connection', async () => {
  server.live = false;
  const [first, second] = [outbox(), outbox()];
  first.add('room_1', 'one');
  second.add('room_1', 'two');
  second.discard(second.of('room_1').at(-1)?.message.key ?? '');
  second.add('room_1', 'three');
  for (const o of [first, second, outbox()]) expect(texts(o)).toEqual(['one', 'three']);
  server.live = true;
  second.flushAll();
  await settle();
  expect(server.asked.map((a) => a.text)).toEqual(['one', 'three']);
  expect(browser.disk.size).toBe(0);
  expect(texts(first)).toEqual([]);
});

test('what a tab wrote that was closed is sent by another, and once only when both send it', async () => {
  const away = new Server();
  away.live = false;
  const closed = outbox(0, away);
  closed.add('room_1', 'one');
  closed.close();
  const other = outbox();
  other.flushAll();
  away.live = true;
  away.answer = () => Promise.reject(new Lost());
  closed.flushAll();
  await settle();
  expect(new Set([...server.asked, ...away.asked].map((a) => a.key)).size).toBe(1);
});

test('a refusal in one tab can be dropped in another', async () => {
  server.answer = () => Promise.reject(new Refusal(0, { kind: 'forbidden', detail: 'you are muted' }));
  const [first, second] = [outbox(), outbox()];
  first.add('room_1', 'bad');
  await settle();
  const [failed] = second.of('room_1');
  expect(failed?.why).toBe('you are muted');
  second.discard(failed?.message.key ?? '');
  expect(texts(first)).toEqual([]);
});

test('a message that the browser has no space for is sent, and once', async () => {
  browser.full = true;
  const o = outbox();
  o.add('room_1', 'one');
  await settle();
  expect(server.asked.map((a) => a.text)).toEqual(['one']);
  o.flushAll();
  await settle();
  expect(server.asked.length).toBe(1);
});

test('the files of a message go with it, by their numbers, after a reload too', async () => {
  server.live = false;
  const file = { id: 'fil_1', name: 'plan.pdf', size: 9, type: 'application/pdf' };
  outbox().add('room_1', '', undefined, [file]);
  const o = outbox();
  expect(o.of('room_1').map((p) => p.message.files)).toEqual([[file]]);
  server.live = true;
  o.flushAll();
  await settle();
  expect(server.asked.map((a) => a.files)).toEqual([['fil_1']]);
});

test('what an earlier version kept in one entry is taken over', () => {
  server.live = false;
  const old = ['a', 'b'].map((key, i) => ({ room: 'room_1', key, text: key, at: new Date(i).toISOString() }));
  browser.disk.set('unhidra.outbox.usr_1', JSON.stringify(old));
  expect(texts(outbox())).toEqual(['a', 'b']);
  expect([...browser.disk.keys()]).toEqual(['unhidra.outbox.usr_1.a', 'unhidra.outbox.usr_1.b']);
});

test('a reply in a thread waits in the thread, and in the room only if it is sent there as well', async () => {
  server.live = false;
  const o = outbox();
  o.add('room_1', 'quiet', undefined, undefined, { root: 7, broadcast: false });
  o.add('room_1', 'loud', undefined, undefined, { root: 7, broadcast: true });
  o.add('room_1', 'other', undefined, undefined, { root: 8, broadcast: false });
  expect(texts(o)).toEqual(['loud']);
  expect(o.of('room_1', 7).map((p) => p.message.text)).toEqual(['quiet', 'loud']);
  server.live = true;
  o.flushAll();
  await settle();
  expect(server.asked.map((a) => [a.text, a.thread, a.broadcast])).toEqual([
    ['quiet', 7, undefined],
    ['loud', 7, true],
    ['other', 8, undefined],
  ]);
});
