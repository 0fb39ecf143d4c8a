import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';

const script = readFileSync(new URL('../../public/sw.js', import.meta.url), 'utf8');

interface Told {
  title: string;
  body?: string;
  tag: string;
  silent?: boolean;
  actions?: { action: string; title: string }[];
  data: { path: string; text?: string; key?: string };
}

interface Asked {
  method: string;
  path: string;
  body: Record<string, unknown>;
  token: string | undefined;
}

interface Answer {
  status?: number;
  body?: object;
}

/** A service worker, with what it shows, opens and asks of the server. */
class Worker {
  readonly told: Told[] = [];
  readonly asked: Asked[] = [];
  readonly opened: string[] = [];
  /** what is held while a request is sent */
  readonly held: string[] = [];
  /** what the server answers; without it, there is no way to it */
  server: ((a: Asked) => Answer | undefined) | undefined;
  #on: Record<string, (e: object) => void> = {};

  constructor(maxActions = 2, language = 'en') {
    const registration = {
      getNotifications: () => Promise.resolve(this.told),
      showNotification: (title: string, options: Omit<Told, 'title'>) =>
        Promise.resolve(void this.told.push({ title, ...options })),
    };
    const clients = {
      matchAll: () => Promise.resolve([]),
      openWindow: (path: string) => Promise.resolve(void this.opened.push(path)),
    };
    const locks = {
      request: async (name: string, work: () => Promise<unknown>) => {
        this.held.push(name);
        return work();
      },
    };
    const self = {
      addEventListener: (type: string, f: (e: object) => void) => (this.#on[type] = f),
      registration,
      clients,
      Notification: { maxActions },
    };
    const fetch = (url: string, init: { method: string; body: string; headers: Record<string, string> }) => {
      const path = url.replace('/api/v1', '');
      const token = init.headers['Authorization'];
      const asked = { method: init.method, path, body: JSON.parse(init.body) as Asked['body'], token };
      const { status = 200, body = {} } = this.server?.(asked) ?? { status: 0 };
      if (!status) return Promise.reject(new TypeError('Failed to fetch'));
      this.asked.push(asked);
      return Promise.resolve({ ok: status < 400, status, json: () => Promise.resolve(body) });
    };
    const soon = (f: () => void) => setTimeout(f);
    runInNewContext(script, {
      ...{ self, fetch, crypto, AbortSignal, setTimeout: soon },
      navigator: { language, locks },
    });
  }

  async #run(type: string, event: object): Promise<void> {
    const done = vi.fn<(p: Promise<unknown>) => void>();
    this.#on[type]?.({ ...event, waitUntil: done });
    await done.mock.calls[0]?.[0];
  }

  async push(push: object): Promise<Told[]> {
    await this.#run('push', { data: { json: () => push } });
    return this.told;
  }

  /** Clicks on what is shown last: on an action, with what was typed into its box, or on the whole. */
  async click(action = '', reply: string | null = null): Promise<void> {
    const notification = this.told.pop();
    await this.#run('notificationclick', { action, reply, notification: { ...notification, close: () => undefined } });
  }
}

/** A server that has somebody signed in, and says yes to all. */
const signedIn = (me = 'bob') => (a: Asked) =>
  a.path === '/auth/refresh' ? { body: { access_token: 'fresh', me: { id: me } } } : {};

const tea = { kind: 'message', user: 'bob', room: 'r', seq: 9, name: 'Hall', sender: 'Ann', text: 'tea', count: 1 };

it('opens a reply of a push in its thread, and another message in the room', async () => {
  expect(await new Worker().push({ ...tea, thread: 7 })).toMatchObject([
    { title: 'Ann in Hall', tag: 'r/7', data: { path: '/rooms/r/9?thread=7' } },
  ]);
  expect(await new Worker().push(tea)).toMatchObject([{ tag: 'r', data: { path: '/rooms/r/9' } }]);
});

it('opens the message that a reminder is about, and else what is scheduled', async () => {
  const push = { ...tea, kind: 'reminder', id: 'rmd_1' };
  expect(await new Worker().push(push)).toMatchObject([
    { title: 'Reminder', tag: 'rmd_1', data: { path: '/rooms/r/9' } },
  ]);
  expect(await new Worker().push({ ...push, room: '' })).toMatchObject([{ data: { path: '/scheduled' } }]);
});

it('opens the queue in which reported messages wait', async () => {
  const push = { ...tea, kind: 'report', seq: 0, text: undefined };
  expect(await new Worker().push(push)).toMatchObject([
    { title: 'Reports in Hall', body: 'A reported message waits for you', tag: 'reports/r', data: { path: '/rooms/r?panel=reports' } },
  ]);
  expect(await new Worker(2, 'de').push({ ...push, room: '', count: 3 })).toMatchObject([
    { title: 'Meldungen', body: '3 gemeldete Nachrichten warten auf dich', tag: 'reports/', data: { path: '/admin/reports' } },
  ]);
});

it('has the actions that make sense, as many as the browser shows', async () => {
  const actions = async (most: number, push: object, language = 'en') =>
    (await new Worker(most, language).push(push)).map((n) => n.actions?.map((a) => a.title))[0];
  expect(await actions(2, tea)).toEqual(['Reply', 'Mark as read']);
  expect(await actions(2, tea, 'de-AT')).toEqual(['Antworten', 'Als gelesen markieren']);
  expect(await actions(1, tea)).toEqual(['Reply']);
  expect(await actions(0, tea)).toEqual([]);
  expect(await actions(2, { ...tea, kind: 'alarm' })).toEqual(['Mark as read']);
  expect(await actions(2, { ...tea, kind: 'reminder' })).toBeUndefined();
  expect(await actions(2, { ...tea, user: undefined })).toEqual([]); // nobody knows whose it is
});

it('sends a reply in the thread that it answers, and marks that as read', async () => {
  const worker = new Worker();
  worker.server = signedIn();
  await worker.push({ ...tea, thread: 7 });
  await worker.click('reply', ' On my way ');
  expect(worker.asked).toMatchObject([
    { method: 'POST', path: '/auth/refresh', token: undefined },
    { method: 'POST', path: '/rooms/r/messages', token: 'Bearer fresh', body: { text: 'On my way', thread: 7 } },
    { method: 'PUT', path: '/rooms/r/messages/7/thread/read', token: 'Bearer fresh', body: { seq: 9 } },
  ]);
  expect(worker.held).toEqual(['unhidra.refresh']);
  expect(worker.told).toEqual([]);
});

it('opens the room to write in where a browser has no box for a reply', async () => {
  const worker = new Worker();
  await worker.push({ ...tea, thread: 7 });
  await worker.click('reply');
  await worker.push(tea);
  await worker.click('reply', '  ');
  expect(worker.opened).toEqual(['/rooms/r?thread=7#write=', '/rooms/r#write=']);
  expect(worker.asked).toEqual([]);
});

it('keeps a reply that could not be sent, and sends the same again', async () => {
  const worker = new Worker();
  await worker.push(tea);
  await worker.click('reply', 'Yes & no');
  expect(worker.told).toMatchObject([{ title: 'Not sent: Hall', body: 'Yes & no', data: { text: 'Yes & no' } }]);
  const key = worker.told[0]?.data.key;
  expect(key).toMatch(/^[\w-]{10,64}$/);
  worker.server = (a) => (a.path === '/auth/refresh' ? signedIn()(a) : { status: 503 });
  await worker.click('again');
  expect(worker.told).toMatchObject([{ body: 'Yes & no', data: { key } }]);
  worker.server = signedIn();
  await worker.click('again');
  expect(worker.told).toEqual([]);
  const sent = worker.asked.filter((a) => a.path.endsWith('/messages')).map((a) => a.body['key']);
  expect(sent).toEqual([key, key]);
});

it('has one write on what could not be sent', async () => {
  const worker = new Worker();
  await worker.push(tea);
  await worker.click('reply', 'Yes & no');
  await worker.click();
  expect(worker.opened).toEqual(['/rooms/r#write=Yes%20%26%20no']);
});

it('marks a message as read, and brings the notification back if it cannot', async () => {
  const worker = new Worker();
  await worker.push(tea);
  await worker.click('read');
  expect(worker.told).toMatchObject([{ title: 'Ann in Hall', body: 'tea', tag: 'r', silent: true }]);
  worker.server = signedIn();
  await worker.click('read');
  expect(worker.told).toEqual([]);
  expect(worker.asked.at(-1)).toMatchObject({ method: 'PUT', path: '/rooms/r/read', body: { seq: 9, main: true } });
});

it('does nothing for somebody else who is signed in by now', async () => {
  const worker = new Worker();
  worker.server = signedIn('lin');
  await worker.push(tea);
  await worker.click('reply', 'Yes');
  expect(worker.told).toMatchObject([{ body: 'Yes' }]);
  expect(worker.asked.map((a) => a.path)).toEqual(['/auth/refresh']);
});

it('tries again when a tab has used the cookie at the same moment', async () => {
  const worker = new Worker();
  let raced = 0;
  worker.server = (a) =>
    a.path === '/auth/refresh' && raced++ < 2 ? { status: 409, body: { code: 'refresh_raced' } } : signedIn()(a);
  await worker.push(tea);
  await worker.click('read');
  expect(worker.told).toEqual([]);
  expect(worker.asked).toHaveLength(4);
});
