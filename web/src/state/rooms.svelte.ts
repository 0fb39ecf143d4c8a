// The user's rooms, kept true by the events of their logs. What an event makes of a
// room is in reduce.ts; here is which events are taken, and who is told.

import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import { Lost, type Frame } from '../net/connection';
import type { Store } from '../platform/storage.svelte';
import { latestFirst } from '../view/order';
import type * as port from '../view/port';
import type { Event, Message, Profile, RoomState, User } from '../view/types';
import { Followed, type Standing } from './followed';
import { escalated, rewrites, type Mark, type Reason, type Stands, type Synced } from './frames';
import { Gaps } from './gaps';
import { Marks } from './marks';
import { purge, reduce } from './reduce';
import { draftsOf, draftRoom, OpenRoom, type Around as RoomAround } from './room.svelte';
import { Tally } from './tally';
import { marksKey } from './unsent';
import { inRoom } from './window';

type OfRoom = 'me' | 'api' | 'outbox' | 'request' | 'tell' | 'words' | 'wrote' | 'keep' | 'drop' | 'kept';

/** What the rooms need of what is around them. */
export interface Around extends Pick<RoomAround, OfRoom> {
  store: Store;
  /** somebody else's message that is new; followed: it is in a thread that the user follows, or names them */
  news(room: RoomState, m: Message, followed?: boolean): void;
  /** the user wants to hear nothing of somebody */
  blocked(user: string): boolean;
  /** how much is unread, and how much of it is meant for the user */
  counted(unread: number, mentions: number): void;
}

const syncRooms = 1000; // that one question may name
const roomsKept = 12; // open rooms whose timelines are kept

export class Rooms implements port.Rooms {
  readonly #a: Around;
  #rooms = new SvelteMap<string, RoomState>();
  #gone = new SvelteMap<string, Reason>();
  #drafts: SvelteSet<string>;
  #open = new Map<string, OpenRoom>();
  #tallies = new Map<string, Tally>();
  /** events that were taken, and not yet given to the open rooms */
  #news = new Map<string, Event[]>();
  #known!: () => void;
  /** done once the rooms are known */
  readonly ready = new Promise<void>((done) => (this.#known = done));
  readonly #list = $derived([...this.#rooms.values()].sort(latestFirst));
  readonly #unfollow: () => void;
  #gaps = new Gaps({
    head: (room) => this.#rooms.get(room)?.head,
    read: (room, after) => this.#sync({ [room]: after }),
  });
  readonly #marks: Marks;
  #followed = new Followed({
    standing: async (room, root) => {
      const path = `/rooms/${room}/messages/${root}/thread?limit=1`;
      return (await this.#a.api.call<{ thread: Standing }>('GET', path)).thread;
    },
    count: (room) => this.#recount(room),
  });
  #threadNews = $state(0);
  #restored = false; // the rooms are those that were kept

  constructor(a: Around) {
    this.#a = a;
    this.#marks = new Marks(
      async (room, seq) => this.#told(await a.request<Mark>('read.mark', { room, seq, main: true })),
      a.store,
      marksKey(a.me),
    );
    this.#drafts = new SvelteSet(draftsOf(a.store, a.me));
    this.#unfollow = a.store.follow((key, value) => this.#drafted(draftRoom(a.me, key), value));
  }

  close(): void {
    this.#unfollow();
  }

  get list(): readonly RoomState[] {
    return this.#list;
  }

  get(room: string): RoomState | undefined {
    return this.#rooms.get(room);
  }

  get threadNews(): number {
    return this.#threadNews;
  }

  /** Whether the user has read somebody's message. */
  hasRead(m: Message): boolean {
    return inRoom(m) ? (this.#rooms.get(m.room)?.read ?? m.seq) >= m.seq : this.#followed.hasRead(m);
  }

  goneReason(room: string): Reason | undefined {
    return this.#gone.get(room);
  }

  draftIn(room: string): boolean {
    return this.#drafts.has(room);
  }

  unsent(room: string) {
    return this.#a.outbox.of(room);
  }

  discard(key: string): void {
    this.#a.outbox.discard(key);
  }

  open(room: string): port.RoomModel {
    let model = this.#open.get(room);
    if (model) this.#open.delete(room); // and to the end: the rooms seen last are kept
    model ??= new OpenRoom(room, {
      ...this.#a,
      away: () => this.#restored,
      state: (id) => this.#rooms.get(id),
      read: (id, seq, all) => this.#read(id, seq, all),
      reading: (id) => this.#marks.stop(id),
      drafted: (id, there) => {
        if (there) this.#drafts.add(id);
        else this.#drafts.delete(id);
        this.#a.wrote(id);
      },
    });
    this.#open.set(room, model);
    for (const id of [...this.#open.keys()].slice(0, -roomsKept)) this.#open.delete(id);
    return model;
  }

  markRead(room: string): void {
    const head = this.#rooms.get(room)?.head;
    if (head === undefined) return;
    this.#open.get(room)?.keepUnread(false);
    this.#read(room, head, true);
  }

  followThreads(room: string, following: boolean): void {
    const state = this.#rooms.get(room);
    if (state) this.#rooms.set(room, { ...state, follow_threads: following });
  }

  /** What waits to be sent has changed in a room. */
  showPending(room: string): void {
    this.#open.get(room)?.showPending();
  }

  /** Another tab has changed a draft. */
  #drafted(place: string | undefined, text = ''): void {
    if (place) this.show(place, text, !document.hasFocus());
  }

  /** Takes the draft of a room or thread (room/root) from elsewhere; open: shows it where one writes, too. */
  show(place: string, text: string, open = true): void {
    const [room = '', root] = place.split('/');
    if (!root && text) this.#drafts.add(room);
    else if (!root) this.#drafts.delete(room);
    if (open) this.#open.get(room)?.showDraft(text, Number(root));
  }

  /** Shows the rooms that were kept, until the server names them. */
  restore(rooms: readonly RoomState[]): void {
    this.#restored = true;
    for (const room of rooms) {
      this.#rooms.set(room.id, room);
      this.#tally(room);
    }
    for (const [room, seq] of Object.entries(this.#marks.unsent)) this.#marked({ room, seq, mentions: 0 });
    this.#known();
    this.#count();
  }

  /** A new connection: what came while we were away is asked for before anything else is shown. */
  async hello(rooms: readonly RoomState[]): Promise<void> {
    this.#restored = false;
    this.#followed.clear();
    this.#threadNews++;
    const known = new Map(this.#rooms);
    const behind: Record<string, number> = {};
    for (const room of rooms) {
      const had = known.get(room.id);
      known.delete(room.id);
      const open = this.#open.get(room.id);
      const outdated = open?.outdated; // it is loaded anew, and not brought up to date
      const missed = had && had.head < room.head && open && !outdated ? had.head : undefined;
      if (missed !== undefined) behind[room.id] = missed;
      this.#tally(room);
      // An open room is brought up to date event by event; the counts are the server's.
      this.#rooms.set(room.id, missed === undefined ? room : { ...room, head: missed });
      if (outdated) open.retryLoad();
    }
    for (const id of known.keys()) this.#drop(id, 'left');
    this.#known();
    if (Object.keys(behind).length) await this.#sync(behind);
    for (const [room, seq] of Object.entries(this.#marks.take())) this.#read(room, seq, false);
    this.#count();
  }

  /** Takes what the server tells, in its order. */
  take(frames: readonly Frame[]): void {
    for (const f of frames) this.#frame(f);
    this.#show();
    this.#count();
  }

  #frame(f: Frame): void {
    switch (f.type) {
      case 'event':
        return this.#event(f.data as Event);
      case 'room.joined':
        return void this.enter(f.data as RoomState);
      case 'room.left': {
        const left = f.data as { room: string; reason: Reason };
        return this.#drop(left.room, left.reason);
      }
      case 'room.reset':
        return void this.#reset((f.data as { room: string }).room).catch(() => {}); // the next event or connection asks again
      case 'room.purged':
        return this.#purged(f.data as { room: string; floor: number });
      case 'read':
        return this.#told(f.data as Mark);
      case 'thread.state':
        return this.#stands(f.data as Stands);
      case 'typing': {
        const w = f.data as { room: string; user: User };
        return this.#open.get(w.room)?.startTyping(w.user);
      }
    }
  }

  /** Takes a room that the user is in now, and returns its id. */
  enter(room: RoomState): string {
    this.#gone.delete(room.id);
    const had = this.#rooms.get(room.id);
    if (had && had.head >= room.head) return room.id;
    if (had && this.#open.has(room.id)) {
      void this.#gaps.fill(room.id, room.head); // event by event: no line of it is left out
    } else {
      if (had) this.#a.drop?.(room.id); // what happened since then is not read
      this.#rooms.set(room.id, room);
      this.#tally(room);
    }
    this.#count();
    return room.id;
  }

  /** One event as it happens. If there is a gap before it, the gap is filled first. */
  #event(e: Event): void {
    const state = this.#rooms.get(e.room);
    if (!state || e.seq <= state.head) return;
    if (e.seq === state.head + 1) return this.#apply(e);
    void this.#gaps.fill(e.room, e.seq);
  }

  /** Takes the next event of a room's log. */
  #apply(e: Event): void {
    const state = this.#rooms.get(e.room);
    if (!state || e.seq <= state.head) return;
    const next = reduce(state, e, this.#a.me);
    const m = e.message;
    const news = m !== undefined && this.#unread(next, e, m, this.#before(state, m));
    if (m?.thread) this.#replied(next, e, m);
    const alarm = escalated(e);
    if (alarm && this.#unread(next, { ...e, type: 'message.created' }, alarm, undefined)) this.#a.news(next, alarm);
    this.#rooms.set(e.room, next);
    const waiting = this.#news.get(e.room);
    if (waiting) waiting.push(e);
    else this.#news.set(e.room, [e]);
    if (m?.key && m.sender.id === this.#a.me) this.#a.outbox.arrived(e.room, m.key);
    if (news) this.#a.news(next, m);
  }

  /** Gives the open rooms what was taken. */
  #show(): void {
    for (const [room, events] of this.#news) {
      const open = this.#open.get(room);
      if (open) open.apply(events);
      else if (rewrites(events)) this.#a.drop?.(room);
    }
    this.#news.clear();
  }

  /** Reads what came after these numbers. */
  async #sync(rooms: Record<string, number>): Promise<void> {
    for (let rest = { ...rooms }; Object.keys(rest).length;) {
      const ask = Object.fromEntries(Object.entries(rest).slice(0, syncRooms));
      const got = await this.#a.request<Synced>('sync', { rooms: ask });
      const known = new Set(got.rooms.map((r) => r.room));
      for (const room of Object.keys(ask))
        if (!got.more || known.has(room) || got.gone?.includes(room)) delete rest[room];
      for (const r of got.rooms) {
        if (r.reset) await this.#reset(r.room);
        for (const e of r.events) this.#apply(e);
        if (r.more && !r.reset) rest[r.room] = r.events.at(-1)?.seq ?? ask[r.room]!;
      }
      this.#show();
      this.#count();
    }
  }

  /** Starts anew with a room whose events cannot be caught up with. */
  async #reset(room: string): Promise<void> {
    this.#a.drop?.(room);
    const now = await this.#a.api.call<RoomState>('GET', `/rooms/${room}`);
    if (!this.#rooms.has(room)) return;
    this.#rooms.set(room, now);
    this.#tally(now);
    this.#open.get(room)?.reset();
    this.#count();
  }

  /** The oldest events of a room are no longer kept. */
  #purged({ room, floor }: { room: string; floor: number }): void {
    const state = this.#rooms.get(room);
    if (!state || floor <= (state.floor ?? 0)) return;
    this.#show();
    this.#rooms.set(room, purge(state, floor));
    if (this.#open.has(room)) this.#open.get(room)?.forget(floor);
    else this.#a.drop?.(room);
    if ((state.unread && state.read < floor) || state.threads || state.mentions) void this.#followed.ask(room);
  }

  /** Asks how much is unread in all rooms: it counts no longer, or again, what somebody said. */
  recount(): void {
    for (const r of this.#rooms.values())
      if (r.read < r.head || r.threads || r.mentions) void this.#followed.ask(r.id);
  }

  /** Asks how much is unread: some of it may be gone. */
  async #recount(room: string): Promise<void> {
    const now = await this.#a.api.call<RoomState>('GET', `/rooms/${room}`);
    const state = this.#rooms.get(room);
    if (!state) return;
    // With a read mark on its way the count of the room is old; the answer to the mark has a new one.
    if (now.read >= state.read) this.#tally(now);
    const { unread = 0, mentions = 0 } = this.#tallies.get(room) ?? {};
    this.#rooms.set(room, { ...state, unread, mentions, threads: now.threads ?? 0 });
    this.#count();
  }

  /** Takes the server's count of what is unread. */
  #tally(room: RoomState): void {
    const tally = this.#tallies.get(room.id) ?? new Tally();
    this.#tallies.set(room.id, tally.start(room));
  }

  /** Counts an event of somebody else's message. True if it is a message that was not counted yet. */
  #unread(room: RoomState, e: Event, m: Message, before: Message | undefined): boolean {
    const tally = this.#tallies.get(room.id);
    if (!tally || m.sender.id === this.#a.me || this.#a.blocked(m.sender.id) || !inRoom(m)) return false;
    const mention = this.#mentions(m);
    const news =
      e.type === 'message.created'
        ? tally.created(m.seq, mention)
        : e.type === 'message.edited' && tally.edited(e.seq, m.seq, mention, before && this.#mentions(before));
    if (e.type === 'message.deleted') tally.deleted(e.seq, m.seq, mention);
    room.unread = tally.unread;
    room.mentions = tally.mentions;
    return news;
  }

  #mentions(m: Message): boolean {
    return Boolean(m.mentions_room || m.mentions?.includes(this.#a.me));
  }

  /** A message as it was before an event, if it is known here. */
  #before(room: RoomState, m: Message): Message | undefined {
    if (room.last?.seq === m.seq) return room.last;
    return this.#open.get(m.room)?.events.find((e) => e.seq === m.seq)?.message;
  }

  /** Something happened to a reply in a thread. */
  #replied(room: RoomState, e: Event, m: Message): void {
    this.#threadNews++;
    if (m.sender.id === this.#a.me || this.#a.blocked(m.sender.id)) return;
    void this.#followed.concerns(m, this.#mentions(m)).then((concerns) => {
      const tells = concerns || room.kind === 'direct';
      if (tells && e.type === 'message.created' && !inRoom(m)) this.#a.news(room, m, true);
    });
  }

  /** The user reads or follows a thread, here or elsewhere, or not any longer. */
  #stands(t: Stands): void {
    const state = this.#rooms.get(t.room);
    if (!state) return;
    this.#threadNews++;
    this.#open.get(t.room)?.stands(t);
    if (t.mark) this.#rooms.set(t.room, { ...state, threads: t.mark.threads ?? 0 });
    this.#followed.take(t);
    this.#count();
  }

  #read(room: string, seq: number, all: boolean): void {
    const state = this.#rooms.get(room);
    if (!state) return;
    // A mention may be in a thread, which is not read with the room.
    const left = { ...(!all && state.threads && { mentions: undefined, threads: state.threads }) };
    this.#marked({ room, mentions: 0, ...left, seq: Math.max(state.read, seq) });
    if (!all) return void this.#marks.mark(room, seq);
    this.#a.request<Mark>('read.mark', { room, seq }).then(
      (m) => this.#told(m),
      (err) => {
        if (err instanceof Lost) this.#marks.keep(room, seq);
      }, // or else the next look at the room marks it again
    );
  }

  /** Takes a mark of the server. Its counts may be older than what happened since, if there is something in threads. */
  #told(m: Mark): void {
    const state = this.#rooms.get(m.room);
    if (m.back) this.#open.get(m.room)?.keepUnread(true);
    this.#marked({ mentions: 0, ...m });
    if (state?.threads || m.threads || m.mentions || m.back) void this.#followed.ask(m.room);
  }

  #marked(m: Mark): void {
    const state = this.#rooms.get(m.room);
    const tally = this.#tallies.get(m.room);
    if (!state || !tally || (m.seq < state.read && !m.back)) return;
    if (m.back) tally.start({ head: state.head, read: m.seq, unread: m.unread ?? 0, mentions: m.mentions ?? 0 });
    else tally.marked(m.seq, m.unread, m.mentions);
    const { unread, mentions } = tally;
    this.#rooms.set(m.room, { ...state, read: m.seq, unread, mentions, threads: m.threads ?? 0 });
    this.#count();
  }

  /** Somebody has changed what they are called. */
  renamed(u: Profile): void {
    for (const open of this.#open.values()) open.renamed(u);
    for (const room of this.#rooms.values()) {
      if (!room.peers?.some((p) => p.id === u.id)) continue;
      this.#rooms.set(room.id, { ...room, peers: room.peers.map((p) => (p.id === u.id ? { ...p, ...u } : p)) });
    }
  }

  #drop(room: string, reason: Reason): void {
    this.#gone.set(room, reason);
    this.#rooms.delete(room);
    this.#tallies.delete(room);
    this.#news.delete(room);
    this.#open.delete(room);
    this.#a.drop?.(room);
  }

  #count(): void {
    let unread = 0;
    let mentions = 0;
    for (const r of this.#rooms.values()) {
      unread += r.unread + (r.threads ?? 0);
      mentions += r.kind === 'direct' ? r.unread : r.mentions;
    }
    this.#a.counted(unread, mentions);
  }
}
