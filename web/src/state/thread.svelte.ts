// One thread that is open beside its room: the part of it that is loaded, and what is being written in it. It hears
// of events by its room.

import type { Pending } from '../view/room/lines';
import type { ThreadModel } from '../view/threadport';
import type { Event, FileView, Message, Poll, Thread, User } from '../view/types';
import type { Stands } from './frames';
import type { Around } from './room.svelte';
import { draftKeys } from './unsent';
import * as win from './window';

interface Page extends win.Page {
  thread: Thread;
}

export class OpenThread implements ThreadModel {
  readonly room: string;
  readonly root: number;
  readonly #a: Around;
  #window: win.Window = $state.raw(win.empty);
  /** the first message, as a window that takes no lines */
  #first: win.Window = $state.raw(win.empty);
  #state: Thread | undefined = $state.raw();
  #pending: Pending[] = $state.raw([]);
  #phase: 'loading' | 'ready' | 'failed' = $state('loading');
  #error = $state('');
  #busy = $state(false);
  #draft = $state('');
  broadcast = $state(false);
  #prev = '';
  #next = '';
  /** the load that is on its way, with the events that came meanwhile */
  #load: { meanwhile: Event[] } | undefined;
  #marked = 0;
  /** the mark that is on its way */
  #marking: Promise<unknown> = Promise.resolve();
  #keptUnread = false;

  constructor(room: string, root: number, a: Around) {
    [this.room, this.root, this.#a] = [room, root, a];
    this.#draft = a.store.get(this.#draftKey) ?? '';
    this.showPending();
  }

  get #draftKey(): string {
    return `${draftKeys(this.#a.me)}${this.room}/${this.root}`;
  }
  get #path(): string {
    return `/rooms/${this.room}/messages/${this.root}/thread`;
  }
  get phase() {
    return this.#phase;
  }
  get error() {
    return this.#error;
  }
  get state() {
    return this.#state;
  }
  get first(): Message | undefined {
    return this.#first.events[0]?.message;
  }
  get events(): readonly Event[] {
    return this.#window.events;
  }
  get pending(): readonly Pending[] {
    return this.#pending;
  }
  get hasOlder() {
    return this.#window.older;
  }
  get hasNewer() {
    return this.#window.newer;
  }
  get busy() {
    return this.#busy;
  }
  get draft() {
    return this.#draft;
  }
  set draft(text: string) {
    this.#draft = text;
    if (text) this.#a.store.set(this.#draftKey, text);
    else this.#a.store.remove(this.#draftKey);
    this.#a.wrote(`${this.room}/${this.root}`);
  }

  /** Takes over the draft of elsewhere. */
  showDraft(text: string): void {
    this.#draft = text;
  }

  async show(around?: number): Promise<void> {
    if (this.#phase !== 'ready') this.#phase = 'loading';
    try {
      await this.#fetch(around ? `after=${around - 1}` : '', (_, p) => win.of(p));
    } catch (err) {
      this.#phase = 'failed';
      this.#error = this.#a.words(err);
    }
  }

  older(): void {
    const before = win.startOf(this.#window);
    if (this.hasOlder) this.#more(this.#prev, (w, p) => win.prepend(w, p, before));
  }

  newer(): void {
    const after = win.endOf(this.#window);
    if (this.hasNewer) this.#more(this.#next, (w, p) => win.append(w, p, after));
  }

  #more(cursor: string, put: (w: win.Window, p: win.Page) => win.Window): void {
    if (this.#load) return;
    this.#fetch(String(new URLSearchParams({ cursor })), put).catch(() => {}); // the button is there still
  }

  /** Loads a page and puts it where it belongs. Of loads the last one counts. */
  async #fetch(query: string, put: (w: win.Window, p: win.Page) => win.Window): Promise<void> {
    const mine = { meanwhile: [] as Event[] };
    this.#load = mine;
    this.#busy = true;
    try {
      const p = await this.#a.api.call<Page>('GET', `${this.#path}?${query}`);
      if (mine !== this.#load) return;
      const was = this.#window;
      this.#window = put(was, p);
      if (this.#window !== was) this.#edges(was, p);
      this.#state = { ...p.thread, read: Math.max(p.thread.read, this.#state?.read ?? 0) };
      this.#first = p.thread.first ? { events: [lineOf(p.thread.first)], older: false, newer: true } : win.empty;
      this.#phase = 'ready';
      this.#take(mine.meanwhile);
    } catch (err) {
      if (mine === this.#load) throw err;
    } finally {
      if (mine === this.#load) {
        this.#load = undefined;
        this.#busy = false;
      }
    }
  }

  /** Keeps where a page goes on at those ends of what is loaded that are its own. */
  #edges(was: win.Window, p: Page): void {
    const [before, now] = [was.events, this.#window.events];
    if (before[0] !== now[0] || !before.length) this.#prev = p.prev ?? '';
    if (before.at(-1) !== now.at(-1) || !before.length) this.#next = p.next ?? '';
  }

  /** Takes events of the room's log, which come after all that were taken before. */
  apply(events: readonly Event[]): void {
    this.#load?.meanwhile.push(...events);
    if (this.#phase === 'ready') this.#take(events);
  }

  #take(events: readonly Event[]): void {
    const mine = (m: Message | undefined) => m?.thread === this.root;
    const next = win.apply(this.#window, events, this.#a.me, mine);
    this.#window = next.events.some((e) => e.message?.deleted_at)
      ? { ...next, events: next.events.filter((e) => !e.message?.deleted_at) }
      : next;
    this.#first = win.apply(this.#first, events, this.#a.me);
  }

  showPoll(seq: number, poll: Poll): void {
    this.#window = win.polled(this.#window, seq, poll);
    this.#first = win.polled(this.#first, seq, poll);
  }

  /** Drops what is no longer kept. */
  forget(floor: number): void {
    this.#window = win.forget(this.#window, floor);
    this.#first = win.forget(this.#first, floor);
  }

  renamed(u: User): void {
    this.#window = win.renamed(this.#window, u);
    this.#first = win.renamed(this.#first, u);
  }

  /** The server tells how the user stands to the thread. */
  stands(t: Pick<Stands, 'following' | 'read' | 'back'>): void {
    if (t.back) {
      this.#keptUnread = true;
      this.#marked = 0;
    }
    if (!this.#state) return;
    const { following, read } = t;
    this.#state = { ...this.#state, following, read: t.back ? read : Math.max(read, this.#state.read) };
  }

  showPending(): void {
    this.#pending = this.#a.outbox.of(this.room, this.root);
  }

  send(text: string, replyTo?: Message, files?: readonly FileView[], type?: string): void {
    this.#a.outbox.add(this.room, text, replyTo, files, { root: this.root, broadcast: this.broadcast }, type);
    this.broadcast = false;
    this.#keptUnread = false;
  }

  keepUnread(kept: boolean): void {
    this.#keptUnread = kept;
  }

  async markUnread(seq: number): Promise<void> {
    this.#keptUnread = true;
    await this.#marking; // or it would come after this
    await this.#a.api.call('PUT', `/rooms/${this.room}/messages/${seq}/unread`);
  }

  markRead(): void {
    if (this.#keptUnread) return;
    const last = win.endOf(this.#window);
    if (last <= Math.max(this.#state?.read ?? 0, this.#marked)) return;
    this.#marked = last;
    this.#marking = this.#a
      .request('thread.mark', { room: this.room, root: this.root, seq: last })
      .catch(() => (this.#marked = 0));
  }

  async follow(following: boolean): Promise<void> {
    await this.#a.api.call('PUT', `${this.#path}/follow`, { following });
    if (this.#state) this.#state = { ...this.#state, following };
  }
}

/** A message as the line that it is in its room. */
const lineOf = (m: Message): Event => ({
  room: m.room,
  seq: m.seq,
  type: 'message.created',
  actor: m.sender,
  at: m.at,
  message: m,
});
