// What the rooms showed when they were last read, kept in the browser for when there is no way to the server: the list
// of the rooms, and the last lines of those that were opened last. It is of one person and one session: whoever signs
// out, is signed out or signs in after somebody else finds nothing.

import { newKey } from '../platform/key';
import type { Server } from '../view/port';
import type { Me, RoomState } from '../view/types';
import type { Synced } from './frames';
import { browserShelf } from './shelf';
import { apply, of, type Page } from './window';

/** Texts in the browser, for one owner at a time. */
export interface Shelf {
  /** Empties it unless it is a user's already, and makes it theirs; returns the mark by which they write. */
  claim(user: string, mark: string): Promise<string>;
  get(key: string): Promise<string | undefined>;
  /** All texts whose keys begin with this, by their keys. */
  all(start: string): Promise<ReadonlyMap<string, string>>;
  /** Changes it, over all tabs one change after the other; nothing once the shelf is under another mark. */
  write(mark: string, change: (order: readonly string[]) => Change): Promise<void>;
  /** Empties it; under this mark only, if there is one. */
  clear(mark?: string): Promise<void>;
}

export interface Change {
  /** texts to put, and those to drop, which are undefined */
  texts: ReadonlyMap<string, string | undefined>;
  /** rooms whose lines are kept, the one that was shown last at the end */
  order: readonly string[];
}

/** All that is known before the server has said anything. */
export interface Snapshot {
  /** when it was true, in milliseconds since 1970 */
  at: number;
  me: Me;
  server: Server;
  rooms: RoomState[];
}

/** The last lines of a room. */
export interface KeptPage {
  at: number;
  /** the number of the room's log up to which they are true */
  head: number;
  page: Page;
}

/** The last lines of a room as they are now, after the event of this number. */
export interface NowPage {
  head: number;
  page: Page;
}

/** How the rooms are by the server, as a new connection says it. */
export interface Around {
  me: string;
  heads: ReadonlyMap<string, number>;
  sync(rooms: Record<string, number>): Promise<Synced>;
}

const pages = 20; // rooms whose lines are kept
const lines = 50; // of each
const pageMost = 100_000; // characters of one room's lines
const listMost = 500_000; // and of the list of rooms; a character takes one or two bytes: all that is kept, 5 MB
const rounds = 5; // questions of what came meanwhile in all these rooms, of some hundred events each
const apart = 1_000; // from a change until it is kept, with those that came meanwhile

const list = 'rooms';
const pageOf = (room: string) => `page/${room}`;

const settled = 5_000; // until the page has what it needs itself

/** Has the browser keep the files of the client as well, where it can, and nobody asked it to save data. */
function keepShell(): void {
  if (typeof navigator === 'undefined' || !('serviceWorker' in navigator)) return;
  if ((navigator as { connection?: { saveData?: boolean } }).connection?.saveData) return;
  const ask = async () => {
    await navigator.serviceWorker.register('/sw.js');
    (await navigator.serviceWorker.ready).active?.postMessage({ type: 'keep' });
  };
  setTimeout(() => void ask().catch(() => {}), settled); // at each start: there may be a new version
}

/** Begins to keep what a user sees. */
export async function begin(user: string, shelf: Shelf = browserShelf): Promise<Kept> {
  if (shelf === browserShelf) keepShell();
  return new Kept(shelf, await shelf.claim(user, newKey()));
}

/** What was kept last, whoever it was of. */
export const last = async (shelf: Shelf = browserShelf): Promise<Snapshot | undefined> =>
  parsed<Snapshot>(await shelf.get(list));

/** Leaves nothing. */
export const wipe = (shelf: Shelf = browserShelf): Promise<void> => shelf.clear();

/** One change among those of a while: it sets texts, and returns the new order. */
type Work = (texts: Map<string, string | undefined>, order: readonly string[]) => readonly string[];

export class Kept {
  readonly #shelf: Shelf;
  readonly #mark: string;
  #due = new Map<string, Work>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** rooms whose lines are being brought up to date, unless something newer is known of them by now */
  #behind = new Set<string>();

  constructor(shelf: Shelf, mark: string) {
    this.#shelf = shelf;
    this.#mark = mark;
    globalThis.document?.addEventListener('visibilitychange', this.#now);
  }

  /** Keeps the rooms in a while, as they are then: those of which something was said last, if they are too many. */
  rooms(now: () => Snapshot): void {
    this.#soon(list, (texts, order) => {
      const all = now();
      const there = new Set(all.rooms.map((r) => r.id));
      texts.set(list, fitting(all.rooms, listMost, (rooms) => ({ ...all, rooms })));
      return only(texts, order, (room) => there.has(room));
    });
  }

  /** Keeps the last lines of a room in a while, as they are then; undefined: they are not known. */
  page(room: string, now: () => NowPage | undefined): void {
    this.#behind.delete(room);
    this.#soon(pageOf(room), (texts, order) => {
      const page = now();
      if (!page) return order;
      texts.set(pageOf(room), textOf(page));
      const next = [...order.filter((id) => id !== room), room];
      const latest = new Set(next.slice(-pages));
      return only(texts, next, (id) => latest.has(id));
    });
  }

  /** Drops the lines of a room: they are not to be seen any more. */
  drop(room: string): void {
    this.#behind.delete(room);
    this.#soon(pageOf(room), (texts, order) => {
      texts.set(pageOf(room), undefined);
      return only(texts, order, (id) => id !== room);
    });
  }

  /**
   * Brings the lines up to date of rooms in which something happened since they were kept: what was deleted or edited
   * meanwhile is shown no longer. Lines that the server cannot bring up to date within a few answers go.
   */
  async freshen({ me, heads, sync }: Around): Promise<void> {
    const was = new Map<string, NowPage>();
    const mine = (this.#behind = new Set<string>());
    for (const [key, text] of await this.#shelf.all(pageOf(''))) {
      const room = key.slice(pageOf('').length);
      const head = heads.get(room);
      if (head === undefined || this.#due.has(key)) continue; // it goes with the list, or what is due is newer
      const { head: had = -1, page } = JSON.parse(text) as Partial<KeptPage>;
      if (had < 0 || had > head || !page) this.drop(room);
      else if (had < head) was.set(room, { head: had, page });
    }
    for (const room of was.keys()) mine.add(room);
    for (let n = 0; n < rounds && was.size; n++) {
      const got = await sync(Object.fromEntries([...was].map(([room, { head }]) => [room, head])));
      for (const room of got.gone ?? []) was.delete(room); // the list of the rooms says so, too
      for (const { room, events, more, reset } of got.rooms) {
        const had = was.get(room);
        if (!had) continue;
        const now = {
          head: events.at(-1)?.seq ?? had.head,
          page: { ...had.page, items: [...apply(of(had.page), events, me).events] },
        };
        was.set(room, now);
        if (more && !reset) continue;
        was.delete(room);
        if (mine !== this.#behind || !mine.has(room)) continue;
        if (reset) this.drop(room);
        else this.#replace(room, now);
      }
    }
    for (const room of was.keys()) if (mine === this.#behind && mine.has(room)) this.drop(room);
  }

  #replace(room: string, now: NowPage): void {
    this.#soon(pageOf(room), (texts, order) => {
      if (order.includes(room)) texts.set(pageOf(room), textOf(now));
      return order;
    });
  }

  /** What was kept of a room. */
  async of(room: string): Promise<KeptPage | undefined> {
    return parsed<KeptPage>(await this.#shelf.get(pageOf(room)));
  }

  /** Keeps nothing any more. */
  close(): void {
    globalThis.document?.removeEventListener('visibilitychange', this.#now);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due.clear();
    this.#behind = new Set();
  }

  /** Leaves nothing of its owner: they are gone. */
  wipe(): Promise<void> {
    this.close();
    return this.#shelf.clear(this.#mark);
  }

  #soon(key: string, work: Work): void {
    this.#due.set(key, work);
    this.#timer ??= setTimeout(this.#now, apart);
  }

  /** Keeps what is due, also when the page goes out of sight: it may not come back. */
  readonly #now = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const due = [...this.#due.values()];
    this.#due.clear();
    if (due.length)
      this.#write(due)
        .catch(() => this.#shelf.clear(this.#mark))
        .catch(() => {});
  };

  /** If this fails, as the browser is full, nothing is kept rather than what is not true any more. */
  #write(due: readonly Work[]): Promise<void> {
    return this.#shelf.write(this.#mark, (order) => {
      const texts = new Map<string, string | undefined>();
      return { texts, order: due.reduce((now, work) => work(texts, now), order) };
    });
  }
}

/** Drops the lines of all rooms but some; returns these. */
function only(texts: Map<string, string | undefined>, order: readonly string[], stays: (room: string) => boolean) {
  for (const room of order) if (!stays(room)) texts.set(pageOf(room), undefined);
  return order.filter(stays);
}

/** The last of these lines, as they are kept. */
function textOf({ head, page }: NowPage): string {
  return fitting(page.items.slice(-lines).reverse(), pageMost, (items): KeptPage => {
    const cut = items.length < page.items.length || page.prev !== undefined;
    return { at: Date.now(), head, page: { items: items.toReversed(), ...(cut && { prev: 'there' }) } };
  });
}

/** A text of the first of some things, as many as fit. */
function fitting<T>(all: readonly T[], most: number, make: (some: T[]) => object): string {
  for (let some = [...all]; ; some = some.slice(0, Math.floor(some.length * 0.75))) {
    const text = JSON.stringify(make(some));
    if (text.length <= most || !some.length) return text;
  }
}

function parsed<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as T);
}
