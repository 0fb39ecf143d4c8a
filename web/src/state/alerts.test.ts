import { afterEach, beforeEach, expect, it, vi } from 'vitest';

beforeEach(() => void vi.useFakeTimers());

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function alerts(
  make: (title: string, options: object) => object,
  load?: () => Promise<never>,
  choose?: () => Promise<never>,
) {
  class Notice {
    static permission = 'granted';
    static requestPermission = () => Promise.resolve('granted');
    constructor(title: string, options: object) {
      Object.assign(this, make(title, options));
    }
  }
  const link = { rel: '', href: '', getAttribute: () => '' };
  vi.stubGlobal('window', { Notification: Notice });
  vi.stubGlobal('Notification', Notice);
  vi.stubGlobal('document', { title: 'Unhidra', querySelector: () => link, createElement: () => link });
  const { Alerts } = await import('./alerts.svelte');
  return new Alerts(load, choose);
}

const message = { room: 'r', seq: 7, text: '**Hi** `@ann`' } as never;

it('says that a browser cannot notify whose notifications throw', async () => {
  const a = await alerts(() => {
    throw new TypeError('Illegal constructor');
  });
  await a.enable('on');
  expect(a.permission).toBe('unsupported');
  await a.tell('Ann', message);
});

it('notifies of the second message of a room too, without marks of Markdown', async () => {
  const shown: object[] = [];
  const a = await alerts((title, options) => (shown.push({ title, ...options }), {}));
  await a.enable('on');
  void a.tell('Ann', message);
  expect(shown.at(-1)).toMatchObject({ title: 'Ann', body: 'Hi @ann', tag: 'r', renotify: true });
});

it('names the open room in the title, with what is unread', async () => {
  const a = await alerts(() => ({}));
  a.at('Workshop');
  vi.runAllTimers();
  expect(document.title).toBe('Workshop · Unhidra');
  a.count(5, 2);
  vi.runAllTimers();
  expect(document.title).toBe('(2) • 3 Workshop · Unhidra');
  a.at('');
  vi.runAllTimers();
  expect(document.title).toBe('(2) • 3 Unhidra');
});

it('never shows as unread what is read at once', async () => {
  const a = await alerts(() => ({}));
  const titles: string[] = [];
  Object.defineProperty(document, 'title', {
    get: () => titles.at(-1) ?? 'Unhidra',
    set: (title: string) => titles.push(title),
  });
  a.at('Hall');
  a.count(3, 1);
  a.count(0, 0);
  vi.runAllTimers();
  a.count(2, 0);
  vi.runAllTimers();
  expect(titles).toEqual(['Hall · Unhidra', '• 2 Hall · Unhidra']);
});

it('has pushes sent to the browser while notifications are on, and takes away what was read elsewhere', async () => {
  const calls: string[] = [];
  const push = {
    subscribe: () => Promise.resolve(calls.push('subscribe')),
    unsubscribe: () => Promise.resolve(calls.push('unsubscribe')),
    show: (title: string) => Promise.resolve(calls.push(`show ${title}`)),
    read: (room: string, seq: number) => Promise.resolve(calls.push(`read ${room} ${seq}`)),
  };
  vi.stubGlobal('navigator', { serviceWorker: {} });
  vi.stubGlobal('PushManager', class {});
  const a = await alerts(
    () => ({}),
    () => Promise.resolve(push as never),
  );
  await a.enable('on');
  expect(a.pushes).toBe(true);
  void a.tell('Ann', message);
  await vi.waitFor(() => expect(calls.at(-1)).toBe('show Ann'));
  expect(calls).not.toContain('show on');
  a.read('r', 7);
  await a.disable();
  await vi.waitFor(() => expect(calls.at(-1)).toBe('unsubscribe'));
  expect(calls).toContain('subscribe');
  expect(calls).toContain('read r 7');
  expect(a.pushes).toBe(false);
});

it('tells while a page is open if the push service is away', async () => {
  const shown: string[] = [];
  vi.stubGlobal('navigator', { serviceWorker: {} });
  vi.stubGlobal('PushManager', class {});
  const a = await alerts(
    (title) => (shown.push(title), {}),
    () => Promise.reject(new Error('offline')),
  );
  await a.enable('on');
  expect(a.permission).toBe('on');
  expect(a.pushes).toBe(false);
  expect(shown).toEqual(['on']);
});

it('gets pushes where a page may show nothing by itself, as in Chrome on Android', async () => {
  const shown: string[] = [];
  const push = {
    subscribe: () => Promise.reject(new Error('no push service')),
    show: (title: string) => Promise.resolve(void shown.push(title)),
  };
  vi.stubGlobal('navigator', { serviceWorker: {} });
  vi.stubGlobal('PushManager', class {});
  const a = await alerts(
    () => {
      throw new TypeError('Illegal constructor');
    },
    () => Promise.resolve(push as never),
  );
  await a.enable('on');
  expect([a.permission, a.pushes]).toEqual(['on', false]);
  push.subscribe = () => Promise.resolve(undefined as never);
  await a.enable('on');
  expect([a.permission, a.pushes]).toEqual(['on', true]);
  void a.tell('Ann', message);
  await vi.waitFor(() => expect(shown).toEqual(['on', 'Ann']));
});

it('tells what its user wants to be told, and as they want it', async () => {
  const { Choices } = await import('./choices');
  let chosen: object = { level: 'mentions', choices: [] };
  const asked: string[] = [];
  const api = { call: (_: string, path: string) => (asked.push(path), Promise.resolve(chosen)) };
  const choices = new Choices(api as never, 'bob');
  const shown: { body?: string }[] = [];
  const a = await alerts(
    (_, options) => (shown.push(options), {}),
    undefined,
    () => Promise.resolve(choices as never),
  );
  await a.enable('on');
  const at = (more: object) => ({ room: 'r', seq: 7, text: 'Tea', mentions: ['bob'], ...more }) as never;
  const told = async (m: never, direct = false, followed = false) => {
    shown.length = 0;
    await a.tell('Ann', m, direct, followed);
    return shown.map((n) => n.body);
  };
  const choose = async (c: object) => {
    chosen = { level: 'mentions', choices: [], ...c };
    a.chosen(chosen as never);
    await Promise.resolve();
  };
  expect(await told(at({}))).toEqual(['Tea']);
  expect(asked).toEqual(['/notifications']);
  await choose({ hide_text: true });
  expect(await told(at({}))).toEqual(['']);
  await choose({ silent_until: new Date(Date.now() + 90_000).toISOString() });
  expect(await told(at({}))).toEqual([]);
  await choose({ level: 'nothing' });
  expect(await told(at({}))).toEqual([]);
  await choose({ choices: [{ room: 'r', level: 'nothing' }] });
  expect(await told(at({}), true, true)).toEqual([]);
  await choose({ choices: [{ room: 'r', level: 'mentions' }] });
  expect(await told(at({ mentions: [] }), true)).toEqual([]);
  await choose({ level: 'nothing', choices: [{ room: 'r', thread: 3, level: 'all' }] });
  expect(await told(at({ thread: 3, mentions: [] }), false, true)).toEqual(['Tea']);
  expect(asked).toHaveLength(1);
  chosen = { level: 'mentions', choices: [], silent_until: new Date(Date.now() + 200_000).toISOString() };
  vi.advanceTimersByTime(70_000);
  expect(await told(at({}))).toEqual([]); // quiet hours have begun
  expect(asked).toHaveLength(2);
});

it('tells of a report who wants to know of it, and takes that away once it is decided on', async () => {
  const { Choices } = await import('./choices');
  let chosen: object = {};
  const api = { call: () => Promise.resolve({ level: 'mentions', choices: [], ...chosen }) };
  const shown: { tag: string; title: string; close: () => void }[] = [];
  const told = async (room: string, choice: object, focus = false) => {
    chosen = choice;
    shown.length = 0;
    const a = await alerts(
      (title, options) => {
        const n = { ...options, title, close: () => shown.splice(shown.indexOf(n), 1) } as never;
        shown.push(n);
        return n;
      },
      undefined,
      () => Promise.resolve(new Choices(api as never, 'bob') as never),
    );
    Object.assign(document, { hasFocus: () => focus });
    await a.enable('on');
    shown.length = 0; // the first one
    const page = await a.reported(room, 'Reports', 'A message was reported', '/path');
    return { a, page, tags: shown.map((n) => n.tag) };
  };
  expect(await told('r', { mute_reports: true })).toMatchObject({ page: false, tags: [] });
  expect(await told('r', { level: 'nothing' })).toMatchObject({ page: false, tags: [] });
  expect(await told('r', { choices: [{ room: 'r', level: 'nothing' }] })).toMatchObject({ page: false, tags: [] });
  expect(await told('', { choices: [{ room: 'r', level: 'nothing' }] })).toMatchObject({ page: true, tags: ['reports/'] });
  expect(await told('r', {}, true)).toMatchObject({ page: true, tags: [] });
  const { a, tags } = await told('r', {});
  expect(tags).toEqual(['reports/r']);
  a.decided('other');
  expect(shown).toHaveLength(1);
  a.decided('r');
  expect(shown).toEqual([]);
});

it('leaves nothing in the browser of who signs out', async () => {
  const calls: string[] = [];
  const push = {
    subscribe: () => Promise.reject(new Error('no push service')),
    show: () => Promise.reject(new Error('no service worker')),
    clear: () => Promise.resolve(calls.push('clear')),
  };
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  vi.stubGlobal('navigator', { serviceWorker: {} });
  vi.stubGlobal('PushManager', class {});
  const a = await alerts(
    () => ({ close: () => calls.push('close') }),
    () => Promise.resolve(push as never),
  );
  await a.enable('on');
  expect(kept.get('unhidra.notifications')).toBe('on');
  a.clear();
  await vi.waitFor(() => expect(calls).toEqual(['close', 'clear']));
  expect([kept.size, a.permission]).toEqual([0, 'off']);
});

it('sees that the user has allowed notifications in the settings of the browser, or blocked them', async () => {
  const a = await alerts(() => ({}));
  await a.enable('on');
  expect(a.permission).toBe('on');
  const browser = Notification as unknown as { permission: string };
  browser.permission = 'denied';
  a.look();
  expect(a.permission).toBe('denied');
  browser.permission = 'granted';
  a.look();
  expect(a.permission).toBe('on');
});

it('says when the server does not know that pushes have ended', async () => {
  const push = {
    subscribe: () => Promise.resolve(),
    unsubscribe: () => Promise.reject(new Error('offline')),
  };
  vi.stubGlobal('navigator', { serviceWorker: {} });
  vi.stubGlobal('PushManager', class {});
  const a = await alerts(
    () => ({}),
    () => Promise.resolve(push as never),
  );
  await a.enable('on');
  await expect(a.disable()).rejects.toThrow('offline');
  expect(a.permission).toBe('off');
  expect(a.pushes).toBe(false);
});
