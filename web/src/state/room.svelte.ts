// One room that is open: the part of its timeline that is loaded, and what is
// being written in it.

import type { Api } from '../net/api';
import type { PageOf, RoomModel } from '../view/port';
import type { Pending } from '../view/room/lines';
import type { Event, Me, Member, Message, RoomState, User } from '../view/types';
import type { Outbox } from './outbox';

const page = 50;
const keep = 1000; // events kept while only the end of the room is read
const typingFor = 6_000;
const typingEvery = 3_000;

interface Timeline {
  items: Event[];
  prev?: string;
  next?: string;
}

/** What a room needs of the whole. */
export interface Around {
  me: string;
  api: Api<Me>;
  outbox: Outbox;
  request<T>(type: string, data: unknown): Promise<T>;
  tell(type: string, data: unknown): void;
  state(room: string): RoomState | undefined;
  /** the user has read up to here */
  read(room: string, seq: number): void;
  /** there is a draft in a room now, or none any more */
  drafted(room: string, there: boolean): void;
  words: (err: unknown) => string;
}

export class OpenRoom implements RoomModel {
  readonly id: string;
  readonly #a: Around;
  #events: Event[] = $state.raw([]);
  #pending: Pending[] = $state.raw([]);
  #typing: { user: User; timer: ReturnType<typeof setTimeout> }[] = $state.raw([]);
  #phase: 'loading' | 'ready' | 'failed' = $state('loading');
  #error = $state('');
  #loading: 'older' | 'newer' | '' = $state('');
  #prev: string | undefined = $state();
  #next: string | undefined = $state();
  #draft: string = $state('');
  /** events that came while a page was on its way */
  #meanwhile: Event[] | undefined;
  #generation = 0;
  #wrote = 0;

  constructor(id: string, a: Around) {
    this.id = id;
    this.#a = a;
    this.#draft = localStorage.getItem(draftKey(a.me, id)) ?? '';
    this.showPending();
    void this.#load(`limit=${page}`);
  }

  get events(): readonly Event[] {
    return this.#events;
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
  get hasOlder() {
    return this.#prev !== undefined;
  }
  get hasNewer() {
    return this.#next !== undefined;
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
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
    this.#a.drafted(this.id, text !== '');
  }

  showPending(): void {
    this.#pending = this.#a.outbox.of(this.id);
  }

  /** Replaces what is loaded by a page. */
  async #load(query: string): Promise<void> {
    const mine = ++this.#generation;
    this.#meanwhile = [];
    try {
      const p = await this.#page(query);
      if (mine !== this.#generation) return;
      this.#events = p.items;
      this.#prev = p.prev;
      this.#next = p.next;
      this.#phase = 'ready';
      this.#error = '';
    } catch (err) {
      if (mine !== this.#generation) return;
      if (this.#phase === 'ready') throw err; // what was there stays
      this.#phase = 'failed';
      this.#error = this.#a.words(err);
    } finally {
      if (mine === this.#generation) {
        const missed = this.#meanwhile ?? [];
        this.#meanwhile = undefined;
        for (const e of missed) this.apply(e);
      }
    }
  }

  #page(query: string): Promise<Timeline> {
    return this.#a.api.call<Timeline>('GET', `/rooms/${this.id}/timeline?${query}`);
  }

  retryLoad(): void {
    this.#phase = 'loading';
    void this.#load(`limit=${page}`);
  }

  /** Forgets what is loaded: too much was missed to fill the gap. */
  reset(): void {
    void this.#load(`limit=${page}`).catch(() => {});
  }

  /** Drops what is no longer kept. */
  forget(floor: number): void {
    if (this.#events.some((e) => e.seq <= floor)) {
      this.#events = this.#events.filter((e) => e.seq > floor);
      this.#prev = undefined;
    }
  }

  older(): void {
    void this.#more('older', this.#prev);
  }

  newer(): void {
    void this.#more('newer', this.#next);
  }

  async #more(way: 'older' | 'newer', cursor: string | undefined): Promise<void> {
    if (!cursor || this.#loading) return;
    const mine = this.#generation;
    this.#loading = way;
    this.#meanwhile ??= [];
    try {
      const p = await this.#page(`limit=${page}&cursor=${encodeURIComponent(cursor)}`);
      if (mine !== this.#generation) return;
      if (way === 'older') {
        this.#events = [...p.items, ...this.#events];
        this.#prev = p.prev;
      } else {
        this.#events = [...this.#events, ...p.items];
        this.#next = p.next;
      }
    } catch {
      // The next scroll tries again.
    } finally {
      this.#loading = '';
      if (mine === this.#generation) {
        const missed = this.#meanwhile ?? [];
        this.#meanwhile = undefined;
        for (const e of missed) this.apply(e);
      }
    }
  }

  async latest(): Promise<void> {
    if (this.hasNewer) await this.#load(`limit=${page}`);
  }

  around(seq: number): Promise<void> {
    return this.#load(`limit=${page}&around=${seq}`);
  }

  /** Takes one event of the log, which comes after all that were taken before. */
  apply(e: Event): void {
    if (e.type === 'message.created' && e.message) this.#stopTyping(e.actor.id);
    if (this.#meanwhile) {
      this.#meanwhile.push(e);
      return;
    }
    if (e.type === 'message.edited' || e.type === 'message.deleted') {
      const m = e.message;
      if (m) this.#events = this.#events.map((old) => changed(old, m));
      return;
    }
    const last = this.#events.at(-1)?.seq ?? 0;
    if (e.seq <= last || this.hasNewer) return;
    this.#events = [...this.#events, e];
  }

  trim(): void {
    if (this.#events.length <= keep || this.hasNewer || this.#loading || this.#meanwhile) return;
    void this.#load(`limit=${page}`).catch(() => {});
  }

  send(text: string, replyTo?: Message): void {
    this.#a.outbox.add(this.id, text, replyTo);
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

  async remove(seq: number): Promise<void> {
    await this.#a.api.call('DELETE', `/rooms/${this.id}/messages/${seq}`);
  }

  async versions(seq: number): Promise<{ text: string; at: string }[]> {
    return (await this.#a.api.call<{ items: { text: string; at: string }[] }>('GET', `/rooms/${this.id}/messages/${seq}/versions`)).items;
  }

  markRead(): void {
    const state = this.#a.state(this.id);
    if (state && (state.read < state.head || state.unread > 0)) this.#a.read(this.id, state.head);
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

/** A line as it is once a message has changed: the message itself, or a quote of it. */
function changed(line: Event, m: Message): Event {
  const have = line.message;
  if (!have) return line;
  if (have.seq === m.seq) return { ...line, message: m };
  if (have.reply_to?.seq !== m.seq) return line;
  const quote = { ...have.reply_to, excerpt: m.text.slice(0, 200) };
  if (m.deleted_at) Object.assign(quote, { deleted: true, excerpt: '' });
  return { ...line, message: { ...have, reply_to: quote } };
}

// Of several people at one browser, each has their own.
const drafts = (user: string): string => `unhidra.draft.${user}.`;
const draftKey = (user: string, room: string): string => drafts(user) + room;

/** The rooms in which a user has begun to write. */
export function draftsOf(user: string): string[] {
  const own = Object.keys(localStorage).filter((key) => key.startsWith(drafts(user)));
  return own.map((key) => key.slice(drafts(user).length));
}
