// The state behind the signed-in views: the rooms, what is open, and who is
// there, kept true by the connection.

import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import type { Api } from '../net/api';
import { Connection, type Frame, type State } from '../net/connection';
import type * as port from '../view/port';
import type { Ban, Event, Invite, KeepOf, Me, Message, Profile, RetentionRules, Room, RoomRequest, RoomState, Status, User } from '../view/types';
import { Outbox } from './outbox';
import { Gaps } from './gaps';
import { Idle } from './idle';
import { Marks } from './marks';
import { Tally } from './tally';
import { Alerts } from './alerts.svelte';
import { Requests } from './requests.svelte';
import { DeviceSettings } from './settings.svelte';
import { draftsOf, OpenRoom } from './room.svelte';

interface Hello {
  me: Me;
  limits: { text: number };
  rooms: RoomState[];
  requests?: number;
}

interface Replay {
  room: string;
  events: Event[];
  head: number;
  more?: boolean;
  reset?: boolean;
}

interface Mark {
  room: string;
  seq: number;
  unread?: number;
  mentions?: number;
}

const bannerAfter = 2_000;
const refreshBefore = 90_000;
const readWithin = 1_000;
const roomsKept = 12; // open rooms whose timelines are kept

export class SignedIn implements port.App {
  readonly server: port.Server;
  readonly settings = new DeviceSettings();
  readonly notifications: Alerts;
  readonly requests: Requests;
  readonly #api: Api<Me>;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #words: (err: unknown) => string;
  readonly #leave: () => Promise<void>;
  #me: Me = $state.raw() as Me;
  #rooms = new SvelteMap<string, RoomState>();
  #presences = new SvelteMap<string, port.Seen>();
  #gone = new SvelteMap<string, 'left' | 'kicked' | 'banned' | 'deleted'>();
  #drafts: SvelteSet<string>;
  #open = new Map<string, OpenRoom>();
  #tallies = new Map<string, Tally>();
  #gaps = new Gaps({
    head: (room) => this.#rooms.get(room)?.head,
    read: (room, after) => this.#sync({ [room]: after }),
  });
  #marks = new Marks(async (room, seq) => this.#marked(await this.#connection.request<Mark>('read.mark', { room, seq })));
  #idle = new Idle(() => this.#active());
  #link: { state: State; show: boolean; retryAt: number } = $state.raw({ state: 'connecting', show: false, retryAt: 0 });
  #now = $state(Date.now());
  #textLimit = $state(16384);
  #watched: string[] = [];
  #timers: ReturnType<typeof setInterval>[] = [];
  #show: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api<Me>, me: Me, server: port.Server, words: (err: unknown) => string, leave: () => Promise<void>) {
    this.#api = api;
    this.#me = me;
    this.#drafts = new SvelteSet(draftsOf(me.id));
    this.server = server;
    this.#words = words;
    this.#leave = leave;
    this.notifications = new Alerts();
    this.requests = new Requests(api, (room) => this.#take(room));
    this.#connection = new Connection({
      token: (fresh) => api.token(fresh),
      hello: (data) => this.#hello(data as Hello),
      frame: (f) => this.#frame(f),
      state: (s, retryAt) => this.#linked(s, retryAt),
      ended: () => api.forget(),
    });
    this.#outbox = new Outbox(
      me,
      this.#connection,
      (room) => this.#open.get(room)?.showPending(),
      (room) => this.#rooms.get(room)?.head ?? 0,
    );
    this.#connection.start();
    this.#timers.push(setInterval(() => (this.#now = Date.now()), 1000), setInterval(() => void this.#renew(), 20_000));
  }

  /** Lets go of everything: somebody signed out. */
  close(): void {
    this.#connection.stop();
    this.#timers.forEach(clearInterval);
    clearTimeout(this.#show);
    this.#idle.stop();
    this.notifications.count(0, 0);
  }

  get me() {
    return this.#me;
  }
  get textLimit() {
    return this.#textLimit;
  }
  get rooms(): readonly RoomState[] {
    return [...this.#rooms.values()].sort((a, b) => (a.last_at < b.last_at ? 1 : -1));
  }
  get connection(): port.Connection {
    const { state, show, retryAt } = this.#link;
    return { state, show, seconds: Math.max(0, Math.ceil((retryAt - this.#now) / 1000)) };
  }

  // The connection.

  #linked(state: State, retryAt: number): void {
    const show = this.#link.show && state !== 'live';
    this.#link = { state, show, retryAt };
    if (state === 'live') {
      clearTimeout(this.#show);
      this.#show = undefined;
      this.#outbox.flushAll();
    } else {
      this.#show ??= setTimeout(() => (this.#link = { ...this.#link, show: true }), bannerAfter);
    }
  }

  /** A new connection: what came while we were away is asked for before anything else is shown. */
  async #hello(h: Hello): Promise<void> {
    this.#me = h.me;
    this.#textLimit = h.limits.text;
    this.requests.count(h.requests ?? 0);
    const known = new Map(this.#rooms);
    const behind: Record<string, number> = {};
    for (const room of h.rooms) {
      const had = known.get(room.id);
      known.delete(room.id);
      if (had && had.head < room.head && this.#open.has(room.id)) behind[room.id] = had.head;
      this.#tally(room);
      // An open room is brought up to date event by event; the counts are the server's.
      this.#rooms.set(room.id, room.id in behind ? { ...room, head: behind[room.id] ?? 0 } : room);
    }
    for (const id of known.keys()) this.#drop(id, 'left');
    if (Object.keys(behind).length) await this.#sync(behind);
    if (this.#watched.length) this.#watch();
    this.#active();
    this.#count();
  }

  /** Reads what came after these numbers. */
  async #sync(rooms: Record<string, number>): Promise<void> {
    for (let ask = rooms; Object.keys(ask).length; ) {
      const got = await this.#connection.request<{ rooms: Replay[]; gone?: string[] }>('sync', { rooms: ask });
      ask = {};
      for (const r of got.rooms) {
        if (r.reset) await this.#reset(r.room);
        for (const e of r.events) this.#apply(e);
        const last = r.events.at(-1);
        if (r.more && last) ask[r.room] = last.seq;
      }
    }
  }

  /** Starts anew with a room whose events cannot be caught up with. */
  async #reset(room: string): Promise<void> {
    const now = await this.#get<RoomState>(`/rooms/${room}`);
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
    const next: RoomState = { ...state, floor };
    if (next.last && next.last.seq <= floor) delete next.last;
    this.#rooms.set(room, next);
    this.#open.get(room)?.forget(floor);
    if (state.unread && state.read < floor) void this.#recount(room).catch(() => {}); // the next connection brings the counts
  }

  /** Asks how much is unread: some of it may be gone. */
  async #recount(room: string): Promise<void> {
    const now = await this.#get<RoomState>(`/rooms/${room}`);
    const state = this.#rooms.get(room);
    if (!state || state.head !== now.head) return;
    this.#rooms.set(room, { ...state, unread: now.unread, mentions: now.mentions });
    this.#tally(now);
    this.#count();
  }

  /** Takes the server's count of what is unread. */
  #tally(room: RoomState): void {
    const tally = this.#tallies.get(room.id) ?? new Tally();
    this.#tallies.set(room.id, tally.start(room));
  }

  #frame(f: Frame): void {
    switch (f.type) {
      case 'event':
        return this.#event(f.data as Event);
      case 'room.joined': {
        const room = f.data as RoomState;
        this.#gone.delete(room.id);
        const had = this.#rooms.get(room.id);
        if (!had || had.head < room.head) {
          this.#rooms.set(room.id, room);
          this.#tally(room);
        }
        return this.#count();
      }
      case 'room.left': {
        const left = f.data as { room: string; reason: 'left' | 'kicked' | 'banned' | 'deleted' };
        return this.#drop(left.room, left.reason);
      }
      case 'room.requested':
        return this.requests.asked(f.data as RoomRequest);
      case 'room.answered':
        return this.requests.answered((f.data as { room: string }).room);
      case 'room.reset':
        return void this.#reset((f.data as { room: string }).room).catch(() => {}); // the next event or connection asks again
      case 'room.purged':
        return this.#purged(f.data as { room: string; floor: number });
      case 'read':
        return this.#marked(f.data as Mark);
      case 'typing': {
        const w = f.data as { room: string; user: User };
        return this.#open.get(w.room)?.startTyping(w.user);
      }
      case 'presence':
        for (const p of (f.data as { users: (port.Seen & { user: string })[] }).users) this.#presences.set(p.user, p);
        return;
      case 'user.updated':
        return this.#renamed(f.data as Profile | Me);
    }
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
    const next: RoomState = { ...state, head: e.seq, last_at: e.at };
    const m = e.message;
    if (m && (e.type === 'message.created' || m.seq === next.last?.seq)) next.last = m;
    const news = m !== undefined && this.#unread(next, e, m);
    describe(next, e, this.#me.id);
    this.#rooms.set(e.room, next);
    this.#open.get(e.room)?.apply([e]);
    if (m?.key && m.sender.id === this.#me.id) this.#outbox.arrived(e.room, m.key);
    if (news) this.#alert(next, m);
    this.#count();
  }

  /** Counts an event of somebody else's message. True if it is a message that was not counted yet. */
  #unread(room: RoomState, e: Event, m: Message): boolean {
    const tally = this.#tallies.get(room.id);
    if (!tally || m.sender.id === this.#me.id) return false;
    const mention = Boolean(m.mentions_room || m.mentions?.includes(this.#me.id));
    const news = e.type === 'message.created' && tally.created(m.seq, mention);
    if (e.type === 'message.deleted') tally.deleted(e.seq, m.seq, mention);
    room.unread = tally.unread;
    room.mentions = tally.mentions;
    return news;
  }

  #alert(room: RoomState, m: Message): void {
    if (m.sender.id === this.#me.id || this.#me.status.mode === 'dnd') return;
    const forMe = room.kind === 'direct' || m.mentions_room || m.mentions?.includes(this.#me.id);
    if (!forMe) return;
    const title = room.kind === 'direct' ? m.sender.display_name : `${m.sender.display_name} · ${room.name ?? ''}`;
    // Somebody who reads it at once, here, in another tab or on another device, need not be told.
    setTimeout(() => {
      if ((this.#rooms.get(m.room)?.read ?? m.seq) < m.seq) this.notifications.tell(title, m);
    }, readWithin);
  }

  #marked(m: Mark): void {
    const state = this.#rooms.get(m.room);
    const tally = this.#tallies.get(m.room);
    if (!state || !tally || m.seq < state.read) return;
    tally.marked(m.seq, m.unread, m.mentions);
    this.#rooms.set(m.room, { ...state, read: m.seq, unread: tally.unread, mentions: tally.mentions });
    this.#count();
  }

  #renamed(u: Profile | Me): void {
    if (u.id === this.#me.id && 'status' in u) this.#me = u;
    for (const room of this.#rooms.values()) {
      if (room.peers?.some((p) => p.id === u.id)) {
        this.#rooms.set(room.id, { ...room, peers: room.peers.map((p) => (p.id === u.id ? { ...p, ...u } : p)) });
      }
    }
  }

  #drop(room: string, reason: 'left' | 'kicked' | 'banned' | 'deleted'): void {
    this.#gone.set(room, reason);
    this.#rooms.delete(room);
    this.#tallies.delete(room);
    this.#open.delete(room);
    this.#count();
  }

  #count(): void {
    let unread = 0;
    let mentions = 0;
    for (const r of this.#rooms.values()) {
      unread += r.unread;
      mentions += r.kind === 'direct' ? r.unread : r.mentions;
    }
    this.notifications.count(unread, mentions);
  }

  async #renew(): Promise<void> {
    if (!this.#connection.live || Date.now() < this.#api.expires - refreshBefore) return;
    try {
      await this.#connection.request('auth.refresh', { token: await this.#api.token(true) });
    } catch {
      // The server closes with 4401 when the token ends, and the next connection brings a new one.
    }
  }

  #active(): void {
    this.#connection.request('presence.set', { active: this.#idle.active }).catch(() => {}); // repeated at the next hello
  }

  tryNow(): void {
    this.#connection.tryNow();
  }

  signOut(): Promise<void> {
    return this.#leave();
  }

  // Rooms.

  goneReason(room: string) {
    return this.#gone.get(room);
  }

  draftIn(room: string): boolean {
    return this.#drafts.has(room);
  }

  open(room: string): port.RoomModel {
    let model = this.#open.get(room);
    if (model) {
      this.#open.delete(room); // and to the end: the rooms seen last are kept
    } else {
      model = new OpenRoom(room, {
        me: this.#me.id,
        api: this.#api,
        outbox: this.#outbox,
        request: (type, data) => this.#connection.request(type, data),
        tell: (type, data) => this.#connection.tell(type, data),
        state: (id) => this.#rooms.get(id),
        read: (id, seq) => this.#read(id, seq),
        drafted: (id, there) => (there ? this.#drafts.add(id) : this.#drafts.delete(id)),
        words: this.#words,
      });
    }
    this.#open.set(room, model);
    for (const id of [...this.#open.keys()].slice(0, -roomsKept)) this.#open.delete(id);
    return model;
  }

  #read(room: string, seq: number): void {
    const state = this.#rooms.get(room);
    if (!state) return;
    this.#marked({ room, seq: Math.max(state.read, seq) });
    void this.#marks.mark(room, seq);
  }

  presence(user: string): port.Seen | undefined {
    return this.#presences.get(user);
  }

  watch(users: string[]): void {
    const next = [...new Set(users)].sort().slice(0, 500);
    if (next.join() === this.#watched.join()) return;
    this.#watched = next;
    this.#watch();
  }

  #watch(): void {
    this.#connection
      .request<{ users: (port.Seen & { user: string })[] }>('presence.watch', { users: this.#watched })
      .then((got) => {
        for (const p of got.users) this.#presences.set(p.user, p);
      })
      .catch(() => {}); // repeated at the next hello
  }

  #take(room: RoomState): string {
    this.#gone.delete(room.id);
    const had = this.#rooms.get(room.id);
    if (!had || had.head < room.head) {
      this.#rooms.set(room.id, room);
      this.#tally(room);
    }
    return room.id;
  }

  // What people do, by REST.

  async findUsers(q: string): Promise<User[]> {
    return (await this.#get<port.PageOf<Profile>>(`/users?${new URLSearchParams({ q, limit: '20' })}`)).items;
  }
  user(idOrName: string): Promise<Profile> {
    return this.#get(`/users/${encodeURIComponent(idOrName)}`);
  }
  async createRoom(r: { kind: 'public' | 'private'; name: string; topic: string; members: string[] }): Promise<string> {
    return this.#take(await this.#api.call<RoomState>('POST', '/rooms', r));
  }
  publicRooms(q: string, cursor: string): Promise<port.PageOf<Room & { joined: boolean }>> {
    return this.#get(`/rooms/public?${new URLSearchParams({ q, cursor })}`);
  }
  lookUp(room: string): Promise<Room> {
    return this.#get(`/rooms/${room}`);
  }
  async joinRoom(room: string): Promise<void> {
    this.#take(await this.#api.call<RoomState>('POST', `/rooms/${room}/join`));
  }
  async direct(users: string[]): Promise<string> {
    return this.#take(await this.#api.call<RoomState>('POST', '/direct', { users }));
  }
  async updateRoom(room: string, change: { name?: string; topic?: string; kind?: 'public' | 'private'; archived?: boolean; retention?: KeepOf }): Promise<void> {
    await this.#api.call('PATCH', `/rooms/${room}`, change);
  }
  retention(): Promise<RetentionRules> {
    return this.#get('/retention');
  }
  deleteRoom(room: string): Promise<void> {
    return this.#api.call('DELETE', `/rooms/${room}`);
  }
  leaveRoom(room: string): Promise<void> {
    return this.#api.call('POST', `/rooms/${room}/leave`);
  }
  async addMember(room: string, user: string): Promise<boolean> {
    return (await this.#api.call<Event>('POST', `/rooms/${room}/members`, { user })).type !== 'member.asked';
  }
  setRole(room: string, user: string, role: string): Promise<void> {
    return this.#api.call('PATCH', `/rooms/${room}/members/${user}`, { role });
  }
  mute(room: string, user: string, until: string | null): Promise<void> {
    return this.#api.call('PATCH', `/rooms/${room}/members/${user}`, { muted_until: until ?? new Date(0).toISOString() });
  }
  kick(room: string, user: string, reason: string): Promise<void> {
    return this.#api.call('DELETE', `/rooms/${room}/members/${user}?${new URLSearchParams({ reason })}`);
  }
  ban(room: string, user: string, reason: string): Promise<void> {
    return this.#api.call('PUT', `/rooms/${room}/bans/${user}`, { reason });
  }
  unban(room: string, user: string): Promise<void> {
    return this.#api.call('DELETE', `/rooms/${room}/bans/${user}`);
  }
  handOver(room: string, user: string): Promise<void> {
    return this.#api.call('POST', `/rooms/${room}/owner`, { user });
  }
  async bans(room: string): Promise<Ban[]> {
    return (await this.#get<port.PageOf<Ban>>(`/rooms/${room}/bans?limit=200`)).items;
  }
  async invites(room: string): Promise<Invite[]> {
    return (await this.#get<port.PageOf<Invite>>(`/rooms/${room}/invites`)).items;
  }
  createInvite(room: string, o: { expires_in?: number; max_uses?: number }): Promise<Invite> {
    return this.#api.call('POST', `/rooms/${room}/invites`, o);
  }
  revokeInvite(room: string, id: string): Promise<void> {
    return this.#api.call('DELETE', `/rooms/${room}/invites/${id}`);
  }

  async search(q: string, sort: 'newest' | 'relevance', cursor: string): Promise<port.SearchPage> {
    type Found = Omit<port.SearchHit, 'room'>;
    const got = await this.#get<port.PageOf<Found> & { incomplete?: boolean }>(`/search?${new URLSearchParams({ q, sort, cursor })}`);
    const items = got.items.flatMap((h) => {
      const room = this.#rooms.get(h.message.room);
      return room ? [{ ...h, room }] : [];
    });
    return { items, next: got.next, incomplete: got.incomplete };
  }

  async saveProfile(p: { display_name: string; about: string; locale: string; time_zone: string }): Promise<void> {
    this.#me = await this.#api.call<Me>('PATCH', '/me', p);
  }
  async savePicture(file: File | null): Promise<void> {
    this.#me = file ? await this.#api.call<Me>('PUT', '/me/avatar', file) : await this.#api.call<Me>('DELETE', '/me/avatar');
  }
  async saveStatus(s: Status): Promise<void> {
    this.#me = await this.#api.call<Me>('PUT', '/me/status', s);
  }

  #get<T>(path: string): Promise<T> {
    return this.#api.call<T>('GET', path);
  }
}

/** What an event says of its room. */
function describe(room: RoomState, e: Event, me: string): void {
  const d = e.detail ?? {};
  switch (e.type) {
    case 'room.updated':
      if (d.name !== undefined) room.name = d.name;
      if (d.topic !== undefined) room.topic = d.topic;
      if (d.kind) room.kind = d.kind as RoomState['kind'];
      if (d.archived !== undefined) room.archived = d.archived;
      if (d.held !== undefined) room.held = d.held;
      if (d.retention?.server) delete room.retention;
      else if (d.retention) room.retention = d.retention;
      return;
    case 'member.joined':
      room.members++;
      return;
    case 'member.left':
    case 'member.kicked':
      room.members--;
      return;
    case 'member.banned':
      if (d.role) room.members--; // without one they were not in it
      return;
    case 'member.role':
      if (e.subject?.id === me && d.role) room.role = d.role;
      return;
    case 'member.muted':
      if (e.subject?.id !== me) return;
      if (d.until) room.muted_until = d.until;
      else delete room.muted_until;
  }
}

