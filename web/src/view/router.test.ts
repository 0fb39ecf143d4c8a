import { beforeEach, expect, test, vi } from 'vitest';

/** The history of a tab: entries, and where one is. */
class Tab {
  entries: { state: unknown; url: string }[] = [{ state: null, url: 'http://localhost:9000/rooms/room_1' }];
  at = 0;
  onpop: (() => void)[] = [];

  get state() {
    return this.entries[this.at]?.state ?? null;
  }
  pushState(state: unknown, _: string, url: string) {
    this.entries = [...this.entries.slice(0, ++this.at), { state, url: new URL(url, location.href).href }];
    this.#moved();
  }
  replaceState(state: unknown, _: string, url: string) {
    this.entries[this.at] = { state, url: new URL(url, location.href).href };
    this.#moved();
  }
  back() {
    if (this.at === 0) return;
    this.at--;
    this.#moved();
    for (const fn of this.onpop) fn();
  }
  #moved() {
    vi.stubGlobal('location', new URL(this.entries[this.at]?.url ?? ''));
  }
}

let tab: Tab;
vi.stubGlobal('location', new URL('http://localhost:9000/rooms/room_1'));
const { href, Router } = await import('./route.svelte');

beforeEach(() => {
  vi.useFakeTimers();
  tab = new Tab();
  vi.stubGlobal('location', new URL(tab.entries[0]?.url ?? ''));
  vi.stubGlobal('history', tab);
  vi.stubGlobal('addEventListener', (type: string, fn: () => void) => type === 'popstate' && tab.onpop.push(fn));
  vi.stubGlobal('document', { addEventListener: () => {} });
});

const started = () => {
  const router = new Router();
  router.start();
  return router;
};

test('Back closes a dialog and stays on the page', () => {
  const router = started();
  let open = true;
  const done = router.cover(() => (open = false));
  tab.back();
  expect(open).toBe(false);
  done();
  vi.runAllTimers();
  expect([tab.at, href(router.current)]).toEqual([0, '/rooms/room_1']);
});

test('a dialog that is closed leaves nothing for Back', () => {
  const router = started();
  router.cover(() => {})();
  vi.runAllTimers();
  expect(tab.at).toBe(0);
});

test('a dialog that leads to another place is not come back to', () => {
  const router = started();
  const done = router.cover(() => {});
  router.go({ page: 'room', room: 'room_2' });
  done();
  vi.runAllTimers();
  expect([tab.at, href(router.current)]).toEqual([1, '/rooms/room_2']);
  tab.back();
  expect(href(router.current)).toBe('/rooms/room_1');
});

test('of two dialogs Back closes the upper one, and one that follows another takes its entry', () => {
  const router = started();
  const closed: string[] = [];
  const first = router.cover(() => closed.push('first'));
  router.cover(() => closed.push('second'));
  tab.back();
  expect(closed).toEqual(['second']);
  const next = started();
  next.cover(() => closed.push('third'));
  expect(tab.at).toBe(1);
  first();
});

test('Back closes a panel, and a closed panel leaves no entry', () => {
  const router = started();
  router.open({ page: 'room', room: 'room_1', panel: 'members' });
  router.go({ page: 'room', room: 'room_1', panel: 'details' }, true);
  router.close({ page: 'room', room: 'room_1' });
  expect([tab.at, href(router.current)]).toEqual([0, '/rooms/room_1']);
});

test('a panel that was opened by its address closes in its place', () => {
  tab.replaceState(null, '', '/rooms/room_1?panel=members');
  const router = started();
  router.close({ page: 'room', room: 'room_1' });
  expect([tab.at, href(router.current)]).toEqual([0, '/rooms/room_1']);
});

test('a dialog that opens while one goes is closed by the next Back alone', () => {
  const router = started();
  const back = tab.back.bind(tab);
  tab.back = () => void setTimeout(back, 10); // as browsers do: later
  router.cover(() => {})();
  let open = true;
  vi.advanceTimersByTime(5); // the first one is on its way
  router.cover(() => (open = false));
  vi.runAllTimers();
  expect(open).toBe(true);
  back();
  expect([open, tab.at]).toEqual([false, 0]);
});
