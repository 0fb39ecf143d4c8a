import { beforeEach, expect, test, vi } from 'vitest';
import { Refusal, Unreachable } from '../net/api';
import type { FileView, Message } from '../view/types';
import { RoomAttachments } from './attachments.svelte';
import { MemoryBrowser } from './memorystore';
import { Slots } from './slots';

/** A server that takes files as the contract says. */
class Server {
  files = new Map<string, { id: string; name: string; size: number; state: string; parts: Map<number, string> }>();
  asked: string[] = [];
  most = 0;
  #now = 0;
  hold: Promise<void> = Promise.resolve();
  put: (n: number) => unknown = () => undefined;

  ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    this.asked.push(`${method} ${path}`);
    if (path === '/files?limit=1') return Promise.resolve({ used: 0, max_size: 1000 } as T);
    const { name, size } = (body ?? {}) as { name: string; size: number };
    if (path === '/files') {
      if (size > 1000) return Promise.reject(new Refusal(413, { code: 'file_too_large' }));
      const id = `fil_${this.files.size + 1}`;
      this.files.set(id, { id, name, size, state: 'uploading', parts: new Map() });
    }
    const id = path === '/files' ? `fil_${this.files.size}` : (path.split('/')[2] ?? '');
    const f = this.files.get(id);
    if (!f) return Promise.reject(new Refusal(404, {}));
    if (method === 'DELETE') this.files.delete(id);
    if (path.endsWith('/complete')) f.state = 'ready';
    return Promise.resolve({ ...f, type: 'text/plain', part_size: 10, parts: [...f.parts.keys()] } as T);
  }

  keys = new Map<string, string>();
  lost = 0; // answers to files in one request

  async takeWhole(path: string, body: Blob, left: (bytes: number) => void) {
    this.asked.push(`POST ${path}`);
    await this.hold;
    const err = this.put(0);
    if (err) throw err;
    left(body.size);
    const q = new URLSearchParams(path.split('?')[1]);
    const key = q.get('key') ?? '';
    const id = this.keys.get(key) ?? `fil_${this.files.size + 1}`;
    this.keys.set(key, id);
    const parts = new Map([[0, await body.text()]]);
    const f = { id, name: q.get('name') ?? '', size: body.size, state: 'ready', parts };
    this.files.set(id, f);
    if (this.lost-- > 0) throw new Unreachable('');
    return { ...f, type: 'text/plain', part_size: 10, parts: [] };
  }

  async take(path: string, part: Blob, left: (bytes: number) => void) {
    const [, , id = '', , n = ''] = path.split('/');
    this.most = Math.max(this.most, ++this.#now);
    await this.hold;
    this.#now--;
    const err = this.put(Number(n));
    if (err) throw err;
    left(part.size);
    this.files.get(id)?.parts.set(Number(n), await part.text());
  }

  text(id: string) {
    return [...(this.files.get(id)?.parts ?? [])].sort(([a], [b]) => a - b).map(([, text]) => text).join('');
  }
}

let server: Server;
let browser: MemoryBrowser;
let sent: { files: FileView[]; reply: Message | undefined }[];
let slots: Slots;

const attachments = (room = 'room_1', thread = 0, onePart = 0) =>
  new RoomAttachments({
    room,
    thread,
    ask: (method, path, body) => server.ask(method, path, body),
    put: async (path, bytes, { left, method }) =>
      (await (method === 'POST' ? server.takeWhole(path, bytes, left) : server.take(path, bytes, left))) as never,
    onePart,
    store: browser.tab(),
    keys: 'unhidra.upload.usr_1.',
    slots,
    wait: () => Promise.resolve(),
    hash: async (part) => `hash of ${await part.text()}`,
    facts: () => Promise.resolve({}),
    preview: () => {},
    send: (files, reply) => sent.push({ files, reply }),
  });
const file = (name: string, text = 'x'.repeat(25)) => new File([text], name, { type: 'text/plain' });
const states = (a: RoomAttachments) => a.items.map((i) => `${i.name} ${i.state}`);

beforeEach(() => {
  server = new Server();
  browser = new MemoryBrowser();
  slots = new Slots(3);
  sent = [];
  vi.stubGlobal('navigator', {}); // without locks
});

test('a file goes up at once, and with the message', async () => {
  const a = attachments();
  a.add([file('a.txt', 'abcdefghijklmnopqrstuvwxy')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready']));
  expect(server.text('fil_1')).toBe('abcdefghijklmnopqrstuvwxy');
  expect(sent).toEqual([]);
  a.send();
  expect(sent.map((s) => s.files.map((f) => f.id))).toEqual([['fil_1']]);
  expect([a.items, a.sends, browser.disk.size]).toEqual([[], 1, 0]);
});

test('a message waits for all its files, and says so', async () => {
  let go = () => {};
  server.hold = new Promise((done) => (go = done));
  const a = attachments();
  a.add([file('a.txt'), file('b.txt')]);
  const reply = { seq: 7 } as Message;
  a.send(reply);
  expect([a.held, sent]).toEqual([true, []]);
  go();
  await vi.waitFor(() => expect(sent.length).toBe(1));
  expect(sent[0]?.files.map((f) => f.name)).toEqual(['a.txt', 'b.txt']);
  expect(sent[0]?.reply).toBe(reply);
  expect(a.held).toBe(false);
});

test('a message that is not to be sent after all is not', async () => {
  const a = attachments();
  a.add([file('a.txt')]);
  a.send();
  a.release();
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready']));
  expect(sent).toEqual([]);
});

test('three parts go at once, of all files together', async () => {
  const [a, b] = [attachments(), attachments('room_2')];
  a.add([file('a.txt', 'x'.repeat(80)), file('b.txt', 'x'.repeat(80))]);
  b.add([file('c.txt', 'x'.repeat(80))]);
  await vi.waitFor(() => expect([...states(a), ...states(b)].every((s) => s.endsWith('ready'))).toBe(true));
  expect(server.most).toBe(3);
});

test('a file that fails keeps nothing else, and can be tried again', async () => {
  server.put = (n) => (n === 2 ? new Refusal(400, { detail: 'no' }) : undefined);
  const a = attachments();
  a.add([file('bad.txt'), file('good.txt', 'short')]);
  a.send();
  await vi.waitFor(() => expect(sent.length).toBe(1));
  expect(sent[0]?.files.map((f) => f.name)).toEqual(['good.txt']);
  expect(states(a)).toEqual(['bad.txt failed']);
  expect(a.items[0]?.final).toBe(false);
  server.put = () => undefined;
  a.retry(a.items[0]?.key ?? '');
  await vi.waitFor(() => expect(states(a)).toEqual(['bad.txt ready']));
  expect(server.asked.filter((q) => q === 'POST /files').length).toBe(2); // it went on where it was
});

test('with no file at all nothing is sent', async () => {
  const a = attachments();
  a.add([file('large.txt', 'x'.repeat(2000))]);
  a.send();
  await vi.waitFor(() => expect(states(a)).toEqual(['large.txt failed']));
  expect((a.items[0]?.why as Refusal).code).toBe('file_too_large');
  expect(a.items[0]?.final).toBe(true); // another try would be refused as well
  expect(a.items[0]?.limits).toEqual({ used: 0, max_size: 1000 });
  expect([sent, a.held]).toEqual([[], false]);
  expect(browser.disk.size).toBe(0);
});

test('a message has at most ten files', () => {
  const a = attachments();
  expect(a.add(Array.from({ length: 12 }, (_, i) => file(`${i}`)))).toBe(2);
  expect(a.items.length).toBe(10);
});

test('what is cancelled is gone, here and on the server', async () => {
  const a = attachments();
  a.add([file('a.txt'), file('b.txt')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready', 'b.txt ready']));
  a.remove(a.items[0]?.key ?? '');
  expect(states(a)).toEqual(['b.txt ready']);
  expect([...server.files.keys()]).toEqual(['fil_2']);
  expect(browser.disk.size).toBe(1);
});

test('what is cancelled while it goes up lets the message go', async () => {
  server.hold = new Promise(() => {});
  const a = attachments();
  a.add([file('slow.txt')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['slow.txt sending']));
  a.adopt([{ id: 'fil_9', name: 'b.txt', size: 1, type: 'text/plain' }]);
  a.send();
  a.remove(a.items[0]?.key ?? '');
  expect(sent.map((s) => s.files.map((f) => f.id))).toEqual([['fil_9']]);
});

test('files that came back leave those over what a message may have for the next', async () => {
  const a = attachments();
  a.adopt(Array.from({ length: 8 }, (_, i) => ({ id: `fil_b${i}`, name: `b${i}`, size: 1, type: 'text/plain' })));
  a.adopt(Array.from({ length: 4 }, (_, i) => ({ id: `fil_c${i}`, name: `c${i}`, size: 1, type: 'text/plain' })));
  a.send();
  expect(sent[0]?.files.length).toBe(10);
  expect(states(a)).toEqual(['c2 ready', 'c3 ready']);
  a.send();
  expect(sent[1]?.files.map((f) => f.name)).toEqual(['c2', 'c3']);
});

test('who signs out sends nothing that was held', async () => {
  let cut = () => {};
  server.hold = new Promise((done) => (cut = done));
  server.put = () => new Error('closed');
  const a = attachments();
  a.adopt([{ id: 'fil_9', name: 'there.txt', size: 1, type: 'text/plain' }]);
  a.add([file('slow.txt')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['there.txt ready', 'slow.txt sending']));
  a.send();
  a.close();
  cut();
  await vi.waitFor(() => expect(states(a)).toEqual(['there.txt ready', 'slow.txt failed']));
  expect([sent, a.held]).toEqual([[], false]);
});

test('what failed without a connection goes on with one', async () => {
  server.put = () => new Unreachable('');
  const a = attachments();
  a.add([file('a.txt')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt failed']));
  server.put = () => undefined;
  a.resume();
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready']));
});

test('after a reload an upload goes on with the same file, and with no other', async () => {
  server.put = (n) => (n === 2 ? new Refusal(400, {}) : undefined);
  const before = attachments();
  before.add([file('a.txt', 'abcdefghijklmnopqrstuvwxy')]);
  await vi.waitFor(() => expect(states(before)).toEqual(['a.txt failed']));

  server.put = () => undefined;
  server.asked = [];
  const a = attachments();
  expect(attachments('room_2').items).toEqual([]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt again']));
  expect(a.items[0]?.sent).toBe(20);
  expect(await a.again(a.items[0]?.key ?? '', file('a.txt', 'something else of 25 byte'))).toBe(false);
  a.add([file('a.txt', 'abcdefghijklmnopqrstuvwxy')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready']));
  expect(server.text('fil_1')).toBe('abcdefghijklmnopqrstuvwxy');
  expect(server.asked).not.toContain('POST /files');
});

test('after a reload a file that was there is still there', async () => {
  const before = attachments();
  before.add([file('a.txt')]);
  await vi.waitFor(() => expect(states(before)).toEqual(['a.txt ready']));
  const a = attachments();
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready']));
  a.send();
  expect(sent[0]?.files[0]?.id).toBe('fil_1');
});

test('an upload that the server has forgotten is forgotten', async () => {
  const before = attachments();
  before.add([file('a.txt')]);
  await vi.waitFor(() => expect(states(before)).toEqual(['a.txt ready']));
  server.files.clear();
  const a = attachments();
  await vi.waitFor(() => expect(browser.disk.size).toBe(0));
  expect(a.items).toEqual([]);
});

test('a small file goes in one request, and a larger one in parts', async () => {
  const a = attachments('room_1', 0, 20);
  a.add([file('a b.txt', 'x'.repeat(20))]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a b.txt ready']));
  a.add([file('b.txt', 'x'.repeat(21))]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a b.txt ready', 'b.txt ready']));
  const [whole = ''] = server.asked.filter((q) => q.startsWith('POST /rooms/room_1/files?name=a+b.txt&key='));
  expect(server.asked.filter((q) => q.startsWith('POST /'))).toEqual([
    whole,
    'POST /files',
    'POST /files/fil_2/complete',
  ]);
  expect([a.items[0]?.sent, server.text('fil_1')]).toEqual([20, 'x'.repeat(20)]);
  a.send();
  expect(sent[0]?.files.map((f) => f.name)).toEqual(['a b.txt', 'b.txt']);
  expect(browser.disk.size).toBe(0);
});

test('a small file whose answer is lost is sent again, and is there once', async () => {
  server.lost = 2;
  const a = attachments('room_1', 0, 100);
  a.add([file('a.txt')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready']));
  expect([server.files.size, server.asked.length]).toEqual([1, 3]);
});

test('a small file that a reload cut off is that file when it is chosen again', async () => {
  server.lost = 100;
  const before = attachments('room_1', 0, 100);
  before.add([file('a.txt', 'abc')]);
  await vi.waitFor(() => expect(states(before)).toEqual(['a.txt failed']));
  server.lost = 0;
  const a = attachments('room_1', 0, 100);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt again']));
  expect(await a.again(a.items[0]?.key ?? '', file('a.txt', 'abd'))).toBe(false);
  a.add([file('a.txt', 'abc')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready']));
  expect([...server.files.keys()]).toEqual(['fil_1']);
  a.remove(a.items[0]?.key ?? '');
  await vi.waitFor(() => expect([server.files.size, browser.disk.size]).toEqual([0, 0]));
});

test('what was cut off is forgotten after a day, as the server does', async () => {
  server.lost = 100;
  const before = attachments('room_1', 0, 100);
  before.add([file('a.txt')]);
  await vi.waitFor(() => expect(states(before)).toEqual(['a.txt failed']));
  const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 25 * 3_600_000);
  const a = attachments('room_1', 0, 100);
  await vi.waitFor(() => expect(browser.disk.size).toBe(0));
  expect(a.items).toEqual([]);
  now.mockRestore();
});

test('a small file that is cancelled on its way is gone', async () => {
  let go = () => {};
  server.hold = new Promise((done) => (go = done));
  const a = attachments('room_1', 0, 100);
  a.add([file('a.txt')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt sending']));
  a.remove(a.items[0]?.key ?? '');
  go();
  await vi.waitFor(() => expect(server.files.size).toBe(1));
  await Promise.resolve();
  expect([a.items, browser.disk.size]).toEqual([[], 0]);
});

test('a server from before takes a small file in parts', async () => {
  let asked = 0;
  server.put = () => (asked++ ? undefined : new Refusal(405, {}));
  const a = attachments('room_1', 0, 100);
  a.add([file('a.txt')]);
  await vi.waitFor(() => expect(states(a)).toEqual(['a.txt ready']));
  expect(server.asked).toContain('POST /files/fil_1/complete');
});
