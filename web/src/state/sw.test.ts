import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';

const source = readFileSync(new URL('../../public/sw.js', import.meta.url), 'utf8');
/** The worker of a version with these files. */
const versioned = (version: string, ...files: string[]) =>
  source.replace(/^const shell = .*$/m, `const shell = ${JSON.stringify({ version, entry: files[0] ?? '', files })};`);
const script = versioned('');

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
  readonly shared = new Map<string, Response>();
  full = false;
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
      location: { origin: 'http://home' },
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
    const put = (path: string, answer: Response) => {
      if (this.full && this.shared.size) return Promise.reject(new DOMException('full', 'QuotaExceededError'));
      return Promise.resolve(void this.shared.set(path, answer));
    };
    const cache = { put };
    const caches = {
      delete: () => Promise.resolve(void this.shared.clear()),
      open: () => Promise.resolve(cache),
    };
    class Answer extends Response {
      static override redirect = (to: string) => ({ to }) as unknown as Response;
    }
    const soon = (f: () => void) => setTimeout(f);
    runInNewContext(script, {
      ...{ self, fetch, caches, crypto, AbortSignal, URL, Response: Answer, setTimeout: soon, clearTimeout },
      navigator: { language, locks },
    });
  }

  /** Another app shares something. */
  async share(form: FormData): Promise<string | undefined> {
    const given = vi.fn<(p: Promise<{ to: string }>) => void>();
    const request = { url: 'http://home/share', method: 'POST', formData: () => Promise.resolve(form) };
    this.#on['fetch']?.({ request, respondWith: given });
    return (await given.mock.calls[0]?.[0])?.to;
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

/** The files of a server, and workers of several versions in one browser. */
class Shells {
  readonly caches = new Map<string, Map<string, string>>();
  /** what the server has; undefined: there is no way to it */
  files: Record<string, string> | undefined = {};
  /** what was kept of them, in this order */
  readonly fetched: string[] = [];
  /** the server answers, but late */
  slow = false;
  /** the browser has lost what it kept */
  lost = false;
  status = 200;
  #on: Record<string, (e: object) => void> = {};

  #fetch = (request: string | { url: string }) => {
    const path = typeof request === 'string' ? request : new URL(request.url).pathname;
    if (!this.files) return Promise.reject(new TypeError('Failed to fetch'));
    const text = this.files[path] ?? (path.startsWith('/assets/') ? undefined : this.files['/index.html']);
    if (this.slow) return new Promise(() => undefined);
    const status = text === undefined ? 404 : this.status;
    const answer = { ok: status < 400, status, text: () => Promise.resolve(text), said: text };
    return Promise.resolve({ ...answer, clone: () => answer });
  };

  run(version: string, ...files: string[]): this {
    const match = (path: string, { cacheName }: { cacheName?: string } = {}) => {
      if (this.lost) return Promise.reject(new Error('lost'));
      const all = cacheName ? [this.caches.get(cacheName)] : [...this.caches.values()];
      const said = all.map((c) => c?.get(path)).find((text) => text !== undefined);
      return Promise.resolve(said === undefined ? undefined : { said });
    };
    const open = (name: string) => {
      const cache = this.caches.get(name) ?? new Map<string, string>();
      this.caches.set(name, cache);
      return Promise.resolve({
        put: (path: string, answer: { said: string }) => Promise.resolve(void cache.set(path, answer.said)),
        match: (path: string) => Promise.resolve(cache.get(path)),
        add: async (path: string) => {
          const answer = (await this.#fetch(path)) as { ok: boolean; said: string };
          if (!answer.ok) throw new TypeError('Request failed');
          this.fetched.push(path);
          cache.set(path, answer.said);
        },
      });
    };
    const self = {
      addEventListener: (type: string, f: (e: object) => void) => (this.#on[type] = f),
      location: { origin: 'http://home' },
    };
    runInNewContext(versioned(version, ...files), {
      ...{ self, URL, clearTimeout, fetch: this.#fetch, setTimeout: (f: () => void) => setTimeout(f) },
      navigator: { language: 'en' },
      caches: {
        match,
        open,
        keys: () => Promise.resolve([...this.caches.keys()]),
        has: (name: string) => Promise.resolve(this.caches.has(name)),
        delete: (name: string) => Promise.resolve(this.caches.delete(name)),
      },
    });
    return this;
  }

  async keep(): Promise<void> {
    const done = vi.fn<(p: Promise<unknown>) => void>();
    this.#on['message']?.({ data: { type: 'keep' }, waitUntil: done });
    await done.mock.calls[0]?.[0];
  }

  /** What the browser gets; 'as it comes': the worker leaves the request to the browser. */
  async get(path: string, mode = 'navigate', method = 'GET'): Promise<string | undefined> {
    const given = vi.fn<(p: Promise<{ said: string; status?: number }>) => void>();
    this.#on['fetch']?.({ request: { url: `http://home${path}`, method, mode }, respondWith: given });
    const [[answer] = []] = given.mock.calls;
    if (!answer) return 'as it comes';
    return answer.then(
      ({ said }) => said,
      () => undefined,
    );
  }
}

const one = { '/index.html': 'page of /assets/a1.js', '/assets/a1.js': 'a1', '/assets/b1.js': 'b1' };
const two = { '/index.html': 'page of /assets/a2.js', '/assets/a2.js': 'a2', '/assets/b1.js': 'b1' };

it('opens the client without a server, once all its files are kept', async () => {
  const shells = new Shells().run('1', '/assets/a1.js', '/assets/b1.js');
  shells.files = one;
  expect(await shells.get('/rooms/r')).toBe('page of /assets/a1.js');
  await shells.keep();
  shells.files = undefined;
  for (const path of ['/', '/rooms/r/9', '/settings/profile']) expect(await shells.get(path)).toBe(one['/index.html']);
  expect(await shells.get('/assets/b1.js', 'cors')).toBe('b1');
  for (const path of ['/api/v1/files/f', '/docs', '/openapi.json', '/sw.js'])
    expect(await shells.get(path)).toBe('as it comes');
  expect(await shells.get('/api/v1/me', 'cors')).toBe('as it comes');
  expect(await shells.get('/rooms/r', 'navigate', 'POST')).toBe('as it comes');
});

it('shows the page that was kept when the server is slow, or has to say that it is not there', async () => {
  const shells = new Shells().run('1', '/assets/a1.js', '/assets/b1.js');
  shells.files = one;
  await shells.keep();
  shells.files = two;
  expect(await shells.get('/')).toBe(two['/index.html']);
  shells.slow = true;
  expect(await shells.get('/')).toBe(one['/index.html']);
  Object.assign(shells, { slow: false, status: 503 });
  expect(await shells.get('/')).toBe(one['/index.html']);
});

it('never mixes two versions', async () => {
  const shells = new Shells().run('1', '/assets/a1.js', '/assets/b1.js');
  shells.files = one;
  await shells.keep();
  const { '/assets/b1.js': _, ...half } = two;
  shells.files = half;
  shells.run('2', '/assets/a2.js', '/assets/b1.js');
  await shells.keep(); // one of its files is not to be had
  shells.files = undefined;
  expect(await shells.get('/')).toBe(one['/index.html']);
  expect(await shells.get('/assets/a1.js', 'cors')).toBe('a1');
  shells.files = one;
  await shells.keep(); // a server that is still the old one
  shells.files = undefined;
  expect(await shells.get('/')).toBe(one['/index.html']);
  shells.files = two;
  await shells.keep(); // goes on
  expect(shells.fetched).toEqual(['/assets/a1.js', '/assets/b1.js', '/assets/a2.js', '/assets/b1.js']);
  shells.files = undefined;
  expect(await shells.get('/')).toBe(two['/index.html']);
  expect(await shells.get('/assets/a1.js', 'cors')).toBe('a1'); // of a page that is still open
  shells.files = { '/index.html': 'page of /assets/a3.js', '/assets/a3.js': 'a3' };
  await shells.run('3', '/assets/a3.js').keep();
  expect([...shells.caches.keys()]).toEqual(['unhidra 2', 'unhidra 3']);
});

it('asks the server when the browser has lost what was kept', async () => {
  const shells = new Shells().run('1', '/assets/a1.js', '/assets/b1.js');
  shells.files = one;
  await shells.keep();
  shells.lost = true;
  expect(await shells.get('/assets/b1.js', 'cors')).toBe('b1');
  expect(await shells.get('/')).toBe(one['/index.html']);
});

it('keeps what another app shares, until the next, and has the page ask where it goes', async () => {
  const worker = new Worker();
  const form = new FormData();
  form.set('title', 'Tea');
  form.set('url', 'https://tea.example');
  form.append('files', new File(['leaf'], 'größe.txt', { type: 'text/plain' }));
  form.append('files', new File(['pot'], 'pot.bin'));
  expect(await worker.share(form)).toBe('/share');
  const kept = [...worker.shared].map(async ([path, answer]) => [
    path,
    await answer.text(),
    decodeURIComponent(answer.headers.get('X-Name') ?? ''),
  ]);
  expect(await Promise.all(kept)).toEqual([
    ['/share/0', 'leaf', 'größe.txt'],
    ['/share/1', 'pot', 'pot.bin'],
    ['/share', 'Tea\nhttps://tea.example', ''],
  ]);
  await worker.share(new FormData());
  expect([...worker.shared.keys()]).toEqual(['/share']);
  worker.full = true;
  expect(await worker.share(form)).toBe('/share'); // which says that nothing has come
  expect(worker.shared.size).toBe(0);
});
