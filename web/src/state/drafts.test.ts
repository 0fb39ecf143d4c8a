import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Store } from '../platform/storage.svelte';
import type { Me } from '../view/types';
import { Drafts } from './drafts';
import { MemoryBrowser } from './memorystore';
import { draftKeys } from './unsent';

interface Row {
  room: string;
  thread?: number;
  text: string;
  version: number;
}

/** A server that keeps drafts, and tells all devices. */
class Server {
  rows = new Map<string, Row>();
  clock = 100;
  puts: string[] = [];
  away = false;
  devices: Device[] = [];

  call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    if (this.away) throw new Error('away');
    if (method === 'GET') return { items: [...this.rows.values()] };
    const room = path.slice('/me/drafts/'.length);
    const { text, thread, over } = body as { text: string; thread?: number; over?: number };
    const place = room + (thread ? `/${thread}` : '');
    if (over && (this.rows.get(place)?.version ?? 0) > over) throw { code: 'draft_changed' };
    this.puts.push(`${place}: ${text}`);
    const row = { room, ...(thread && { thread }), text, version: ++this.clock };
    if (text) this.rows.set(place, row);
    else this.rows.delete(place);
    for (const d of this.devices) if (d.live) d.drafts.take({ type: 'draft', data: row } as Frame);
    return row;
  };
}

/** A browser of the person. */
class Device {
  readonly store: Store;
  drafts: Drafts;
  live = true;
  writing = false;
  shown: Record<string, string> = {};
  readonly server: Server;

  constructor(server: Server, browser = new MemoryBrowser()) {
    this.server = server;
    this.store = browser.tab();
    this.drafts = this.open();
    server.devices.push(this);
  }

  open(): Drafts {
    return new Drafts({
      api: { call: this.server.call } as unknown as Api<Me>,
      me: 'ann',
      store: this.store,
      show: (place, text) => (this.shown[place] = text),
      isWriting: () => this.writing,
    });
  }

  write(place: string, text: string): void {
    if (text) this.store.set(draftKeys('ann') + place, text);
    else this.store.remove(draftKeys('ann') + place);
    this.drafts.wrote(place);
  }

  has(place: string): string {
    return this.store.get(draftKeys('ann') + place) ?? '';
  }
}

let server: Server;
let desk: Device;
let phone: Device;
const later = (ms = 4_000) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  [desk, phone] = [new Device(server), new Device(server)];
});
afterEach(() => {
  for (const d of server.devices) d.drafts.close();
  vi.useRealTimers();
});

describe('a draft', () => {
  test('of a room or thread comes to the other device, in the time that one writes on', async () => {
    desk.write('r', 'to');
    await later(1_000);
    desk.write('r', 'to be');
    desk.write('r/7', 'a reply');
    expect(server.puts).toEqual([]);
    await later();
    expect(server.puts).toEqual(['r: to be', 'r/7: a reply']);
    expect([phone.has('r'), phone.has('r/7')]).toEqual(['to be', 'a reply']);
    expect(phone.shown).toEqual({ r: 'to be', 'r/7': 'a reply' });
    expect([desk.drafts.kept, phone.drafts.kept, desk.shown]).toEqual([2, 2, {}]);
    await later(60_000);
    expect(server.puts).toHaveLength(2);
  });

  test('that is sent goes everywhere at once; one that the server never had is not sent there', async () => {
    desk.write('r', 'to be');
    await later();
    desk.write('r', '');
    await later(1);
    expect([server.rows.size, phone.has('r'), phone.shown['r']]).toEqual([0, '', '']);
    desk.write('q', 'quick');
    desk.write('q', '');
    await later();
    expect(server.puts).toEqual(['r: to be', 'r: ']);
  });

  test('is never replaced while it is being written', async () => {
    desk.write('r', 'mine');
    phone.write('r', 'theirs');
    await later();
    expect([desk.has('r'), phone.has('r')]).toEqual(['theirs', 'theirs']); // both have what came later
    desk.writing = true;
    phone.write('r', 'from elsewhere');
    await later();
    expect(desk.has('r')).toBe('theirs');
    desk.writing = false;
    desk.drafts.release();
    expect(desk.has('r')).toBe('from elsewhere');
  });

  test('that was changed here meanwhile is the later one', async () => {
    desk.write('r', 'mine');
    await later();
    desk.live = false;
    server.away = true;
    desk.write('r', 'mine, offline');
    await later();
    server.away = false;
    phone.write('r', 'theirs');
    await later();
    desk.live = true;
    await desk.drafts.hello();
    await later();
    expect([server.rows.get('r')?.text, phone.has('r'), desk.has('r')]).toEqual(Array(3).fill('mine, offline'));
  });

  test('of an earlier visit that never came to the server is joined with a newer one', async () => {
    server.away = true;
    desk.write('r', 'from the train');
    await later();
    desk.drafts.close();
    server.away = false;
    phone.write('r', 'at home');
    await later();
    desk.drafts = desk.open();
    await desk.drafts.hello();
    await later();
    expect([desk.has('r'), phone.has('r')]).toEqual(Array(2).fill('at home\nfrom the train'));
  });

  test('follows what was deleted and written elsewhere while this device was away', async () => {
    desk.write('r', 'to be');
    await later();
    phone.live = false;
    desk.write('r', '');
    desk.write('q', 'other');
    await later();
    phone.live = true;
    await phone.drafts.hello();
    expect([phone.has('r'), phone.has('q')]).toEqual(['', 'other']);
    expect(server.puts).toHaveLength(3);
  });

  test('that comes while the list of drafts is asked for is not replaced by an older one', async () => {
    phone.write('r', 'old');
    await later();
    const call = server.call;
    server.call = async (method, path, body) => {
      const answer = await call(method, path, body);
      if (method === 'GET') {
        server.call = call;
        phone.write('r', 'new');
        await later();
      }
      return answer;
    };
    desk.drafts.close();
    desk.drafts = desk.open();
    await desk.drafts.hello();
    expect(desk.has('r')).toBe('new');
  });

  test('from before drafts were kept by the server is kept by it now', async () => {
    desk.store.set(`${draftKeys('ann')}r`, 'old');
    await desk.drafts.hello();
    await later();
    expect(server.rows.get('r')?.text).toBe('old');
  });

  test('that is refused stays here, and is tried again when the server says', async () => {
    const call = server.call;
    let tries = 0;
    server.devices = [];
    const one = new Device(server);
    one.drafts.close();
    one.drafts = new Drafts({
      api: {
        call: (...args: Parameters<typeof call>) => (tries++ ? call(...args) : Promise.reject({ retryAfter: 20 })),
      } as unknown as Api<Me>,
      me: 'ann',
      store: one.store,
      show: () => {},
      isWriting: () => false,
    });
    one.write('r', 'too fast');
    await later();
    expect([server.puts, one.has('r'), one.drafts.kept]).toEqual([[], 'too fast', 0]);
    await later(20_000);
    expect([server.puts, one.drafts.kept]).toEqual([['r: too fast'], 1]);
  });
});
