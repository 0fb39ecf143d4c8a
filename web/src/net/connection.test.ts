import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Refusal } from './api';
import { Connection, Lost, type Frame, type State } from './connection';
import { Tracing, type Span } from './tracing';

/** A socket whose other end is the test. */
class Socket {
  static all: Socket[] = [];
  readyState = 1;
  sent: Frame[] = [];
  onmessage: ((e: { data: string }) => void) | null = null;
  onclose: ((e: { code: number; reason: string }) => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    Socket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text) as Frame);
  }
  close() {
    this.readyState = 3;
  }
  say(f: Frame) {
    this.onmessage?.({ data: JSON.stringify(f) });
  }
  end(code: number, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

let states: State[];
let retryAt: number;
let frames: Frame[];
let hellos: unknown[];
let ended: string[];
let told: Span[];
let fresh: boolean[];
let chance: number;
let connection: Connection;
let listeners: Map<string, () => void>;

beforeEach(() => {
  vi.useFakeTimers();
  listeners = new Map();
  vi.stubGlobal('addEventListener', (type: string, fn: () => void) => listeners.set(type, fn));
  vi.stubGlobal('document', { visibilityState: 'visible' });
  vi.stubGlobal('removeEventListener', () => {});
  vi.stubGlobal('location', { origin: 'http://localhost:9000' });
  vi.stubGlobal('navigator', { onLine: true });
  vi.stubGlobal('WebSocket', { OPEN: 1 });
  Socket.all = [];
  states = [];
  frames = [];
  hellos = [];
  ended = [];
  told = [];
  fresh = [];
  chance = 1;
  connection = new Connection({
    token: (f) => (fresh.push(f), Promise.resolve('token')),
    hello: (data) => (hellos.push(data), Promise.resolve()),
    frame: (f) => frames.push(f),
    state: (s, at) => (states.push(s), (retryAt = at)),
    ended: (reason) => ended.push(reason),
    socket: (url, protocols) => new Socket(url, protocols) as unknown as WebSocket,
    random: () => chance,
    tracing: new Tracing((spans) => (told.push(...spans), Promise.resolve())),
  });
  connection.start();
});

afterEach(() => {
  connection.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

async function live(): Promise<Socket> {
  await settle();
  const s = Socket.all.at(-1);
  if (!s) throw new Error('no socket');
  s.say({ type: 'hello', data: {} });
  await settle();
  return s;
}

test('it says who it is without a word in the address', async () => {
  const s = await live();
  expect(s.url).toBe('ws://localhost:9000/ws');
  expect(s.protocols).toEqual(['bearer', 'token']);
  expect(states).toEqual(['connecting', 'syncing', 'live']);
});

test('a request is sent with a traceparent if the server asks for it, and told of when it ends', async () => {
  const s = await live();
  connection.request('ping').catch(() => {}); // the end of the test is the end of the connection
  expect(s.sent.at(-1)).toEqual({ id: '1', type: 'ping' });
  s.say({ type: 'hello', data: { trace_share: 1 } });
  await settle();
  const answered = connection.request('ping');
  const { trace } = s.sent.at(-1) as Frame & { trace: string };
  expect(trace).toMatch(/^00-/);
  s.say({ id: '2', type: 'ok' });
  await answered;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(told).toEqual([expect.objectContaining({ traceparent: trace, name: 'ping' })]);
});

test('a hello that comes in pages is taken as one, of one connection', async () => {
  await settle();
  const first = Socket.all.at(-1)!;
  first.say({ type: 'hello', data: { me: 'ada', rooms: [1], more: true } });
  first.end(1006);
  await vi.advanceTimersByTimeAsync(1_500);
  const s = Socket.all.at(-1)!;
  expect(s).not.toBe(first);
  s.say({ type: 'hello', data: { me: 'ada', expires: 'soon', rooms: [2, 3], more: true } });
  s.say({ type: 'hello', data: { me: 'ada', rooms: [4], more: true } });
  await settle();
  expect(hellos).toEqual([]);
  expect(connection.live).toBe(false);
  s.say({ type: 'hello', data: { me: 'ada', rooms: [5] } });
  await settle();
  expect(hellos).toEqual([{ me: 'ada', expires: 'soon', rooms: [2, 3, 4, 5] }]);
  expect(connection.live).toBe(true);
});

test('requests are answered by their number, or fail with what the server says', async () => {
  const s = await live();
  const a = connection.request('sync', {});
  const b = connection.request('message.send', {});
  const [first, second] = s.sent.slice(-2);
  s.say({ id: second?.id ?? '', type: 'error', error: { kind: 'forbidden', code: 'muted', detail: 'no' } });
  s.say({ id: first?.id ?? '', type: 'ok', data: 7 });
  expect(await a).toBe(7);
  await expect(b).rejects.toMatchObject({ kind: 'forbidden', code: 'muted', detail: 'no' });
  await expect(b).rejects.toBeInstanceOf(Refusal);
});

test('a request whose connection ends is lost, not failed', async () => {
  const s = await live();
  const a = connection.request('message.send', {});
  s.end(1006);
  await expect(a).rejects.toBeInstanceOf(Lost);
  await expect(connection.request('x')).rejects.toBeInstanceOf(Lost);
});

test('the waits between tries double, are random, and have a bound', async () => {
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    await settle();
    Socket.all.at(-1)?.end(1006);
    waits.push(retryAt - Date.now());
    await vi.advanceTimersByTimeAsync(waits.at(-1) ?? 0);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  chance = 0;
  await settle();
  Socket.all.at(-1)?.end(1006);
  expect(retryAt - Date.now()).toBe(100);
});

describe('close codes', () => {
  test('4401 brings a new token at once', async () => {
    const s = await live();
    s.end(4401);
    await settle();
    expect(fresh.at(-1)).toBe(true);
    expect(Socket.all.length).toBe(2);
  });

  test('4401 again and again brings new tokens later and later', async () => {
    (await live()).end(4401);
    for (const wait of [2000, 4000, 8000]) {
      (await live()).end(4401);
      expect(retryAt - Date.now()).toBe(wait);
      await vi.advanceTimersByTimeAsync(wait);
    }
    await live();
    await vi.advanceTimersByTimeAsync(20_000);
    Socket.all.at(-1)?.say({ type: 'pong' });
    await vi.advanceTimersByTimeAsync(20_000);
    const sockets = Socket.all.length;
    Socket.all.at(-1)?.end(4401);
    await settle();
    expect(Socket.all.length).toBe(sockets + 1);
  });

  test.each([4410, 4403, 4400])('%i ends it for good', async (code) => {
    const s = await live();
    s.end(code, 'why');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(ended).toEqual(['why']);
    expect(Socket.all.length).toBe(1);
  });

  test('1012 waits as long as it is told', async () => {
    const s = await live();
    chance = 0;
    s.end(1012, 'retry after 5 seconds');
    expect(retryAt - Date.now()).toBe(5100);
  });
});

test('a server that says nothing is asked, and then given up', async () => {
  const s = await live();
  await vi.advanceTimersByTimeAsync(25_000);
  expect(s.sent.at(-1)?.type).toBe('ping');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(s.readyState).toBe(3);
  expect(states.at(-1)).toBe('waiting');
});

test('what the browser says of the network is a hint: a good socket stays, and tries go on', async () => {
  const s = await live();
  vi.stubGlobal('navigator', { onLine: false });
  await vi.advanceTimersByTimeAsync(2000);
  listeners.get('offline')?.();
  expect(s.sent.at(-1)?.type).toBe('ping');
  s.say({ id: s.sent.at(-1)?.id ?? '', type: 'ok' });
  await vi.advanceTimersByTimeAsync(5000);
  expect(s.readyState).toBe(1);
  expect(states.at(-1)).toBe('live');
  s.end(1006);
  expect(states.at(-1)).toBe('offline');
  await vi.advanceTimersByTimeAsync(1000);
  expect(Socket.all.length).toBe(2);
});

test.each(['focus', 'visibilitychange', 'online', 'pageshow'])(
  'a socket that died is found within seconds at %s',
  async (sign) => {
    const s = await live();
    await vi.advanceTimersByTimeAsync(5000);
    listeners.get(sign)?.();
    await vi.advanceTimersByTimeAsync(3000);
    expect(s.readyState).toBe(3);
    await vi.advanceTimersByTimeAsync(1000);
    expect(Socket.all.length).toBe(2);
  },
);

test('a socket that died in the sleep of the machine is found within seconds', async () => {
  const s = await live();
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(5000 + 3000);
  expect(s.readyState).toBe(3);
});

test('a look at the page does not wait for the next try, and asks once', async () => {
  await settle();
  Socket.all.at(-1)?.end(1006);
  listeners.get('focus')?.();
  listeners.get('visibilitychange')?.();
  await settle();
  expect(Socket.all.length).toBe(2);
});

test('a handshake that is not answered is given up', async () => {
  await settle();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(Socket.all[0]?.readyState).toBe(3);
  expect(states.at(-1)).toBe('waiting');
});

test('every frame that the server can send is understood', async () => {
  const s = await live();
  const golden = new URL('../../../internal/wire/testdata/golden/', import.meta.url);
  const names = readdirSync(golden).filter(
    (n) =>
      n.startsWith('server.') &&
      !n.startsWith('server.ok') &&
      !n.startsWith('server.error') &&
      n !== 'server.hello.json',
  );
  expect(names.length).toBeGreaterThan(15);
  for (const name of names) s.say(JSON.parse(readFileSync(new URL(name, golden), 'utf8')) as Frame);
  expect(frames.length).toBe(names.length);
  for (const f of frames.filter((f) => f.type === 'event')) {
    expect(f.data).toMatchObject({
      room: expect.stringMatching(/^room_/),
      seq: expect.any(Number),
      actor: { username: expect.any(String) },
    });
  }
});
