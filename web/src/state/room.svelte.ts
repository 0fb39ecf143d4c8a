// One room that is open: the part of its timeline that is loaded, and what is
// being written in it.

import { Unreachable, type Api } from '../net/api';
import type { Store } from '../platform/storage.svelte';
import type { PageOf, RoomModel } from '../view/port';
import type { Pending } from '../view/room/lines';
import type { Event, FileView, Me, Member, Message, Poll, RoomState, User } from '../view/types';
import type { Pins } from '../view/pinport';
import type { ThreadModel } from '../view/threadport';
import type { Outbox } from './outbox';
import { rewrites, type Stands } from './frames';
import type { KeptPage, NowPage } from './kept';
import type { RoomPins } from './pins.svelte';
import type { OpenThread } from './thread.svelte';
import * as win from './window';
import { draftKeys } from './unsent';

const page = 50;
const keep = 300; // events kept while only the end of the room is read
const keepLeast = 150; // and those that are left of more
const threadsKept = 4; // whose replies are kept
const typingFor = 6_000;
const typingEvery = 3_000;

/** What a room needs of the whole. */
export interface Around {
  me: string;
  api: Api<Me>;
  outbox: Outbox;
  store: Store;
  request<T>(type: string, data: unknown): Promise<T>;
  tell(type: string, data: unknown): void;
  state(room: string): RoomState | undefined;
  /** the user has read up to here; all: in threads as well */
  read(room: string, seq: number, all: boolean): void;
  /** Ends marks of a room that are on their way, and waits for them. */
  reading(room: string): Promise<void>;
  /** there is a draft in a room now, or none any more */
  drafted(room: string, there: boolean): void;
  /** the draft of a room or thread is another */
  wrote(place: string): void;
  words: (err: unknown) => string;
  /** There has been no way to the server since the page was opened. */
  away?(): boolean;
  /** What the end of the room shows is kept for when there is no way to the server; undefined: it is not loaded. */
  keep?(room: string, page: () => NowPage | undefined): void;
  /** What is kept of a room is not to be seen any more. */
  drop?(room: string): void;
  /** what was kept */
  kept?(room: string): Promise<KeptPage | undefined>;
}

export class OpenRoom implements RoomModel {
  readonly id: string;
  readonly #a: Around;
  #window: win.Window = $state.raw(win.empty);
  #pending: Pending[] = $state.raw([]);
  #typing: { user: User; timer: ReturnType<typeof setTimeout> }[] = $state.raw([]);
  #phase: 'loading' | 'ready' | 'failed' = $state('loading');
  #error = $state('');
  #since: number | undefined = $state();
  #loading: 'older' | 'newer' | '' = $state('');
  #draft: string = $state('');
  /** the load that is on its way, with the events that came meanwhile */
  #load: { meanwhile: Event[] } | undefined;
  #wrote = 0;
  #keptUnread = false;
  #pins: RoomPins | undefined;
  #threads = new Map<number, OpenThread>();

  constructor(id: string, a: Around) {
    this.id = id;
    this.#a = a;
    this.#draft = a.store.get(draftKey(a.me, id)) ?? '';
    this.showPending();
    this.retryLoad();
  }

  /** where pages of the room come from: replies in threads are not in them, unless they were sent to the room */
  get #timeline(): string {
    return `/rooms/${this.id}/timeline?main=true`;
  }

  get events(): readonly Event[] {
    return this.#window.events;
  }
  get pending(): readonly Pending[] {
    return this.#pending;
  }
  get phase() {
    return this.#phase;
  }
  get error() {
    return this.#error;
  }
  get since() {
    return this.#since;
  }
  /** Whether what is shown is to be loaded once there is a way to the server. */
  get outdated(): boolean {
    return this.#since !== undefined || this.#phase === 'failed';
  }
  get hasOlder() {
    return this.#window.older;
  }
  get hasNewer() {
    return this.#window.newer;
  }
  get loading() {
    return this.#loading;
  }
  get typing(): readonly User[] {
    return this.#typing.map((w) => w.user);
  }
  get draft() {
    return this.#draft;
  }
  set draft(text: string) {
    this.#draft = text;
    const key = draftKey(this.#a.me, this.id);
    if (text) this.#a.store.set(key, text);
    else this.#a.store.remove(key);
    this.#a.drafted(this.id, text !== '');
  }

  /** Takes over the draft of elsewhere, in the room or in one of its threads. */
  showDraft(text: string, root: number): void {
    if (root) this.#threads.get(root)?.showDraft(text);
    else this.#draft = text;
  }

  showPoll(seq: number, poll: Poll): void {
    this.#window = win.polled(this.#window, seq, poll);
    for (const thread of this.#threads.values()) thread.showPoll(seq, poll);
  }

  showPending(): void {
    this.#pending = this.#a.outbox.of(this.id);
    for (const thread of this.#threads.values()) thread.showPending();
  }

  /**
   * Loads a page and puts it where it belongs. Of loads the last one counts: the
   * answer or the failure of one before it is dropped.
   */
  async #fetch(query: string, put: (w: win.Window, p: win.Page) => win.Window): Promise<void> {
    const mine = { meanwhile: [] as Event[] };
    this.#load = mine;
    try {
      const p = await this.#a.api.call<win.Page>('GET', `${this.#timeline}&fold=true&limit=${page}${query}`);
      if (mine !== this.#load) return;
      const floor = this.#a.state(this.id)?.floor ?? 0;
      this.#window = win.apply(win.forget(put(this.#window, p), floor), mine.meanwhile, this.#a.me);
      this.#phase = 'ready';
      this.#since = undefined;
      this.#keep();
    } catch (err) {
      if (mine === this.#load) throw err;
    } finally {
      if (mine === this.#load) {
        this.#load = undefined;
        this.#loading = '';
      }
    }
  }

  /** Shows another part of the timeline. If that fails, what was there stays. */
  async #show(query: string): Promise<void> {
    this.#loading = '';
    try {
      await this.#fetch(query, (_, p) => win.of(p));
    } catch (err) {
      if (this.#phase === 'ready') throw err;
      if (err instanceof Unreachable && (await this.#showKept())) return;
      this.#phase = 'failed';
      this.#error = this.#a.words(err);
    }
  }

  /** Loads what could not be loaded, or was kept. What is shown stays until then. */
  retryLoad(): void {
    if (this.#since !== undefined) return void this.#show('').catch(() => {}); // who looks can see that it is old
    this.#phase = 'loading';
    void this.#begin();
  }

  async #begin(): Promise<void> {
    const shown = this.#a.away?.() && (await this.#showKept());
    if (shown && this.#a.away?.()) return;
    await this.#show('').catch(() => {}); // it fails only if what was kept is shown
  }

  /** Shows what was kept of the room while nothing else can be shown. */
  async #showKept(): Promise<boolean> {
    const was = await this.#a.kept?.(this.id).catch(() => undefined);
    if (this.#phase !== 'loading' || this.#load) return true; // it is shown, or on its way by now
    if (!was) return false;
    const { floor = 0, since = 0 } = this.#a.state(this.id) ?? {};
    this.#window = win.forget(win.of(was.page), Math.max(floor, since));
    this.#since = was.at;
    this.#phase = 'ready';
    return true;
  }

  /** Whether the end of the room is shown, as it is now. */
  get #atEnd(): boolean {
    return this.#phase === 'ready' && this.#since === undefined && !this.#window.newer;
  }

  /** Keeps what the end of the room shows. */
  #keep(): void {
    this.#a.keep?.(this.id, () => {
      const { head } = this.#a.state(this.id) ?? {};
      if (!this.#atEnd || head === undefined) return undefined;
      const { events, older } = this.#window;
      return { head, page: { items: [...events], ...(older && { prev: 'there' }) } };
    });
  }

  /** Forgets what is loaded: too much was missed to fill the gap. */
  reset(): void {
    this.#window = win.empty;
    this.#since = undefined;
    for (const thread of this.#threads.values()) void thread.show();
    void this.#pins?.load();
    this.retryLoad();
  }

  /** Drops what is no longer kept. */
  forget(floor: number): void {
    this.#window = win.forget(this.#window, floor);
    this.#keep();
    for (const thread of this.#threads.values()) thread.forget(floor);
    this.#pins?.forget(floor);
    if (this.hasNewer && !this.#window.events.length) this.reset();
  }

  older(): void {
    const before = win.startOf(this.#window);
    if (this.hasOlder) this.#more('older', `&before=${before}`, (w, p) => win.prepend(w, p, before));
  }

  newer(): void {
    const after = win.endOf(this.#window);
    if (this.hasNewer) this.#more('newer', `&after=${after}`, (w, p) => win.append(w, p, after));
  }

  #more(way: 'older' | 'newer', query: string, put: (w: win.Window, p: win.Page) => win.Window): void {
    if (this.#load || this.#phase !== 'ready' || this.#since !== undefined) return;
    this.#loading = way;
    this.#fetch(query, put).catch(() => {}); // the next scroll tries again
  }

  async latest(): Promise<void> {
    if (this.hasNewer) await this.#show('');
  }

  around(seq: number): Promise<void> {
    return this.#show(`&around=${seq}`);
  }

  at(time: Date): Promise<void> {
    return this.#show(`&at=${time.toISOString()}`);
  }

  async unfold(seq: number): Promise<void> {
    const p = await this.#a.api.call<win.Page>('GET', `${this.#timeline}&limit=200&before=${seq}`);
    this.#window = win.unfold(this.#window, seq, p);
  }

  /** Takes events of the log, which come after all that were taken before. */
  apply(events: readonly Event[]): void {
    for (const e of events) if (e.type === 'message.created') this.#stopTyping(e.actor.id);
    this.#load?.meanwhile.push(...events);
    if (this.#phase === 'ready' && this.#since === undefined) {
      this.#window = win.apply(this.#window, events, this.#a.me);
    }
    if (this.#atEnd) this.#keep();
    else if (rewrites(events)) this.#a.drop?.(this.id);
    for (const thread of this.#threads.values()) thread.apply(events);
    this.#pins?.apply(events);
    const gone = events.filter((e) => e.type === 'message.deleted').map((e) => e.message?.thread ?? 0);
    if (gone.some(Boolean)) void this.#recount(new Set(gone.filter(Boolean)));
  }

  /** Somebody has a new name or picture. */
  renamed(u: User): void {
    this.#window = win.renamed(this.#window, u);
    for (const thread of this.#threads.values()) thread.renamed(u);
    this.#pins?.renamed(u);
  }

  trim(): void {
    if (this.hasNewer || this.#load || this.#window.events.length <= keep) return;
    this.#window = win.trim(this.#window, keepLeast);
  }

  send(text: string, replyTo?: Message, files?: readonly FileView[], type?: string): void {
    this.#keptUnread = false;
    this.#a.outbox.add(this.id, text, replyTo, files, undefined, type);
  }
  retry(key: string): void {
    this.#a.outbox.retry(key);
  }
  discard(key: string): void {
    this.#a.outbox.discard(key);
  }

  async edit(seq: number, text: string): Promise<void> {
    await this.#a.api.call('PATCH', `/rooms/${this.id}/messages/${seq}`, { text });
  }

  async tick(seq: number, n: number, task: string, done: boolean): Promise<void> {
    await this.#a.api.call('PUT', `/rooms/${this.id}/messages/${seq}/tasks/${n}`, { task, done });
  }

  async remove(seq: number): Promise<void> {
    await this.#a.api.call('DELETE', `/rooms/${this.id}/messages/${seq}`);
  }

  async react(seq: number, emoji: string, add: boolean): Promise<number> {
    const path = reactionsAt(this.id, seq, emoji);
    return (await this.#a.api.call<{ seq?: number }>(add ? 'PUT' : 'DELETE', path)).seq ?? 0;
  }

  reactors(seq: number, emoji: string): Promise<PageOf<{ user: User }>> {
    return this.#a.api.call('GET', `${reactionsAt(this.id, seq, emoji)}?limit=4`);
  }

  async versions(seq: number): Promise<{ text: string; at: string }[]> {
    return (
      await this.#a.api.call<{ items: { text: string; at: string }[] }>(
        'GET',
        `/rooms/${this.id}/messages/${seq}/versions`,
      )
    ).items;
  }

  async thread(root: number): Promise<ThreadModel> {
    const { OpenThread } = await import('./thread.svelte');
    const thread = this.#threads.get(root) ?? new OpenThread(this.id, root, this.#a);
    this.#threads.delete(root); // and to the end: the threads seen last are kept
    this.#threads.set(root, thread);
    for (const old of [...this.#threads.keys()].slice(0, -threadsKept)) this.#threads.delete(old);
    return thread;
  }

  async pins(): Promise<Pins> {
    const { RoomPins } = await import('./pins.svelte');
    if (this.#pins?.phase === 'failed') void this.#pins.load();
    return (this.#pins ??= new RoomPins(this.id, this.#a));
  }

  /** The server tells how the user stands to a thread. */
  stands(t: Stands): void {
    this.#threads.get(t.root)?.stands(t);
  }

  message(seq: number): Promise<Message> {
    return this.#a.api.call('GET', `/rooms/${this.id}/messages/${seq}`);
  }

  /** What is left of a thread once replies were deleted is asked for. */
  async #recount(roots: Iterable<number>): Promise<void> {
    for (const root of roots) {
      try {
        this.#window = win.recounted(this.#window, await this.message(root));
      } catch {
        // it is no longer kept, or shown anew with the next page
      }
    }
  }

  markRead(all = false): void {
    if (all) this.#keptUnread = false;
    if (this.#keptUnread) return;
    const state = this.#a.state(this.id);
    const news = state && (state.read < state.head || state.unread > 0);
    if (!state || !(news || (all && state.threads))) return;
    // What was kept may end before the room does.
    const seen = this.#since === undefined ? state.head : win.endOf(this.#window);
    if (this.#since === undefined || seen > state.read) this.#a.read(this.id, seen, all);
  }

  keepUnread(kept: boolean): void {
    this.#keptUnread = kept;
  }

  async markUnread(seq: number): Promise<void> {
    this.#keptUnread = true;
    await this.#a.reading(this.id); // or it would come after this
    await this.#a.api.call('PUT', `/rooms/${this.id}/messages/${seq}/unread`);
  }

  writing(): void {
    if (Date.now() - this.#wrote < typingEvery) return;
    this.#wrote = Date.now();
    this.#a.tell('typing', { room: this.id });
  }

  /** Somebody is writing. */
  startTyping(user: User): void {
    const others = this.#typing.filter((w) => w.user.id !== user.id || (clearTimeout(w.timer), false));
    this.#typing = [...others, { user, timer: setTimeout(() => this.#stopTyping(user.id), typingFor) }];
  }

  #stopTyping(user: string): void {
    if (!this.#typing.some((w) => w.user.id === user)) return;
    this.#typing = this.#typing.filter((w) => w.user.id !== user || (clearTimeout(w.timer), false));
  }

  members(q: string, cursor: string): Promise<PageOf<Member>> {
    return this.#a.api.call('GET', `/rooms/${this.id}/members?${new URLSearchParams({ q, cursor, limit: '100' })}`);
  }
}

const reactionsAt = (room: string, seq: number, emoji: string): string =>
  `/rooms/${room}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`;

const draftKey = (user: string, room: string): string => draftKeys(user) + room;

/** The rooms in which a user has begun to write. */
export function draftsOf(store: Store, user: string): string[] {
  return store.keys(draftKeys(user)).map((key) => key.slice(draftKeys(user).length));
}

/** The room whose draft is kept under a key. */
export function draftRoom(user: string, key: string): string | undefined {
  return key.startsWith(draftKeys(user)) ? key.slice(draftKeys(user).length) : undefined;
}
