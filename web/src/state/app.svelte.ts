// Puts together what is behind the signed-in views: the connection, the rooms, the
// people, and what is done by REST.

import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import { storage } from '../platform/storage.svelte';
import { wordsOf } from '../view/later/reminder';
import type { EmojiChanged } from '../view/emojiport';
import type * as port from '../view/port';
import { serverEmoji } from '../view/serveremoji.svelte';
import { speakerOf } from '../view/speaker';
import type { Me, Message, Profile, RoomRequest, RoomState, Status } from '../view/types';
import { Alerts } from './alerts.svelte';
import { mutedKey, readArranged, readMuted } from './arranged';
import type { Chosen } from '../view/notifyport';
import type { Files } from '../view/filesport';
import type { Firmware } from '../view/firmwareport';
import type { Arranged } from '../view/sectionport';
import type { NotifyModel } from './notifymodel.svelte';
import type { Kept, Snapshot } from './kept';
import type { OwnThings } from './personal';
import type { PostedFiles } from './files';
import { Fleet, type Came, type Readings } from './fleet.svelte';
import { Link } from './link.svelte';
import { Outbox } from './outbox';
import { People } from './people.svelte';
import { Requests } from './requests.svelte';
import { RoomApi } from './roomapi';
import { Rooms } from './rooms.svelte';
import type { Synced } from './frames';
import { DeviceSettings } from './settings.svelte';
import { unsentOf, uploadKeys } from './unsent';

interface Hello {
  me: Me;
  limits: { text: number };
  rooms: RoomState[];
  requests?: number;
  blocked?: string[];
}

const readWithin = 1_000;

export class SignedIn implements port.App {
  server: port.Server = $state.raw()!;
  readonly settings = new DeviceSettings();
  readonly notifications: Alerts;
  readonly link: Link;
  readonly people: People;
  readonly rooms: Rooms;
  readonly api: RoomApi;
  readonly requests: Requests;
  readonly fleet: Fleet;
  readonly #account: Api<Me>;
  readonly #outbox: Outbox;
  readonly #leave: () => Promise<void>;
  #textLimit = $state(16384);
  #files: Promise<PostedFiles> | undefined;
  #loaded: PostedFiles | undefined;
  #choosing: NotifyModel | undefined;
  #own: OwnThings | undefined;
  #kept: Promise<Kept | undefined> | undefined;
  #arranged: Arranged = $state.raw()!;
  #muted: ReadonlySet<string> = $state.raw()!;

  /** was: what was kept, which is shown until the server has said what is */
  constructor(
    api: Api<Me>,
    me: Me,
    server: port.Server,
    words: (err: unknown) => string,
    leave: () => Promise<void>,
    was?: Snapshot,
  ) {
    this.#account = api;
    this.#arranged = readArranged(storage, me.id);
    this.#muted = readMuted(storage, me.id);
    this.notifications = new Alerts(
      async () => new (await import('./push')).Push(api, me.id),
      async () => new (await import('./choices')).Choices(api, me.id),
    );
    this.server = server;
    this.#leave = leave;
    if (was) this.#kept = import('./kept').then((made) => made.begin(me.id)).catch(() => undefined);
    this.link = new Link(api, was?.at ?? 0, {
      hello: (data) => this.#hello(data as Hello),
      frames: (frames) => this.#frames(frames),
      live: () => {
        this.#outbox.flushAll();
        this.#loaded?.resume();
      },
    });
    const request = <T>(type: string, data: unknown) => this.link.request<T>(type, data);
    this.people = new People(me, request);
    this.#outbox = new Outbox({
      me,
      store: storage,
      link: this.link,
      changed: (room) => this.rooms.showPending(room),
      head: (room) => this.rooms.get(room)?.head ?? 0,
    });
    this.rooms = new Rooms({
      me: me.id,
      api,
      store: storage,
      outbox: this.#outbox,
      request,
      tell: (type, data) => this.link.tell(type, data),
      words,
      wrote: (place) => this.#own?.drafts.wrote(place),
      blocked: (user) => this.people.blocked(user),
      news: (room, m, followed) => this.#alert(room, m, followed),
      counted: (unread, mentions) => {
        this.notifications.count(unread, mentions);
        const { state } = this.link;
        if (state === 'live' || state === 'syncing') this.#keep((kept) => kept.rooms(() => this.#snapshot()));
      },
      keep: (room, page) => this.#keep((kept) => kept.page(room, page)),
      drop: (room) => this.#keep((kept) => kept.drop(room)),
      kept: async (room) => (await this.#kept)?.of(room),
    });
    if (was) this.rooms.restore(was.rooms);
    this.api = new RoomApi(api, this.rooms);
    this.requests = new Requests(api, (room) => this.rooms.enter(room));
    this.fleet = new Fleet(api, request);
    serverEmoji.from(async () => (await this.api.emoji()).all());
    this.link.start();
  }

  async firmware(): Promise<Firmware> {
    const made = await import('./firmware');
    return new made.Firmware(this.#account);
  }

  async notifyModel(): Promise<NotifyModel> {
    const made = await import('./notifymodel.svelte');
    return (this.#choosing ??= new made.NotifyModel(this.#account, (rooms) => {
      storage.set(mutedKey(this.me.id), rooms.join(' '));
      this.#muted = new Set(rooms);
    }));
  }

  async personal(): Promise<OwnThings> {
    const made = await import('./personal');
    return (this.#own ??= new made.OwnThings(
      this.#account,
      this.me.id,
      storage,
      (place, text) => this.rooms.show(place, text),
      (r) => this.notifications.remind(r, wordsOf(this, r)),
      (now) => (this.#arranged = now),
    ));
  }

  files(): Promise<Files> {
    this.#files ??= import('./files').then(
      (made) => (this.#loaded = new made.PostedFiles(this.#account, this.rooms, this.me.id)),
    );
    this.#files.catch(() => (this.#files = undefined)); // offline: the next one tries again
    return this.#files;
  }

  get uploads() {
    return storage.keys(uploadKeys(this.me.id)).length > 0;
  }

  /** Keeps what the rooms show, for when there is no way to the server. */
  keepIn(kept: Promise<Kept | undefined>): void {
    this.#kept = kept;
  }

  #keep(work: (kept: Kept) => void): void {
    void this.#kept?.then((kept) => kept && work(kept));
  }

  /** Brings up to date what was kept of rooms that nobody opens. If that fails, the next connection tries again. */
  #freshen(rooms: readonly RoomState[]): void {
    const heads = new Map(rooms.map((r) => [r.id, r.head]));
    const sync = (ask: Record<string, number>) => this.link.request<Synced>('sync', { rooms: ask });
    this.#keep((kept) => void kept.freshen({ me: this.me.id, heads, sync }).catch(() => {}));
  }

  #snapshot(): Snapshot {
    return { at: Date.now(), me: this.me, server: this.server, rooms: [...this.rooms.list] };
  }

  /** Lets go of everything: somebody signed out. */
  close(): void {
    this.#keep((kept) => kept.close());
    this.#kept = undefined;
    this.#loaded?.close();
    this.#own?.close();
    serverEmoji.from(undefined);
    this.link.close();
    this.rooms.close();
    this.people.close();
    this.#outbox.close();
    this.notifications.count(0, 0);
  }

  get me() {
    return this.people.me;
  }
  get arranged() {
    return this.#arranged;
  }
  get muted() {
    return this.#muted;
  }
  get textLimit() {
    return this.#textLimit;
  }
  get storageTrouble() {
    return storage.trouble;
  }

  async #hello(h: Hello): Promise<void> {
    this.people.me = h.me;
    this.people.blocks(h.blocked ?? []);
    this.#textLimit = h.limits.text;
    this.requests.count(h.requests ?? 0);
    await this.rooms.hello(h.rooms);
    this.#freshen(h.rooms);
    this.people.rewatch();
    serverEmoji.reconnected();
    this.fleet.rewatch();
    // The next connection tries again.
    void this.personal().then((own) => own.hello(), () => {});
    void this.notifyModel().then((model) => model.load()).catch(() => {});
  }

  #frames(frames: readonly Frame[]): void {
    for (const f of frames) this.#frame(f);
    this.rooms.take(frames);
  }

  /** Takes what is not about the user's rooms alone. */
  #frame(f: Frame): void {
    switch (f.type) {
      case 'presence':
        return this.people.seen((f.data as { users: (port.Seen & { user: string })[] }).users);
      case 'user.updated':
        this.people.renamed(f.data as Profile | Me);
        return this.rooms.renamed(f.data as Profile);
      case 'readings':
        return this.fleet.take(f.data as Readings);
      case 'device.status':
        return this.fleet.came((f.data as { devices: Came[] }).devices);
      case 'device.transfer':
        return this.fleet.transferred();
      case 'device.settings':
        return this.fleet.settingsChanged(f.data as { device: string });
      case 'command.state':
        return this.fleet.changed(f.data as { device: string });
      case 'read': {
        const mark = f.data as { room: string; seq: number };
        return this.notifications.read(mark.room, mark.seq);
      }
      case 'notifications':
        this.#choosing?.take(f.data as Chosen);
        return this.notifications.chosen(f.data as Chosen);
      case 'emoji.changed':
        return serverEmoji.take(f.data as EmojiChanged);
      case 'user.blocked': {
        const { user, blocked } = f.data as { user: string; blocked: boolean };
        this.people.block(user, blocked);
        return this.rooms.recount();
      }
      case 'room.requested':
        return this.requests.asked(f.data as RoomRequest);
      case 'room.answered':
        return this.requests.answered((f.data as { room: string }).room);
      default:
        this.#own?.take(f);
    }
  }

  #alert(room: RoomState, m: Message, followed = false): void {
    if (this.me.status.mode === 'dnd' || this.people.blocked(m.sender.id)) return;
    const direct = room.kind === 'direct';
    const forMe = followed || direct || m.mentions_room || m.mentions?.includes(this.me.id);
    if (!forMe) return;
    const title = direct ? m.sender.display_name : `${speakerOf(m)} · ${room.name ?? ''}`;
    const icon = direct ? m.sender.avatar : room.look?.avatar;
    // Somebody who reads it at once, here, in another tab or on another device, need not be told.
    setTimeout(() => {
      if (!this.rooms.hasRead(m)) void this.notifications.tell(title, m, direct, followed, icon);
    }, readWithin);
  }

  unsent(): number {
    return unsentOf(storage, this.me.id) - (this.#own?.drafts.kept ?? 0);
  }

  signOut(): Promise<void> {
    return this.#leave();
  }

  async saveProfile(p: { display_name: string; about: string; locale: string; time_zone: string }): Promise<void> {
    this.people.me = await this.#account.call<Me>('PATCH', '/me', p);
  }
  async savePicture(file: File | null): Promise<void> {
    this.people.me = await (file
      ? this.#account.call<Me>('PUT', '/me/avatar', file)
      : this.#account.call<Me>('DELETE', '/me/avatar'));
  }
  async saveStatus(s: Status): Promise<void> {
    this.people.me = await this.#account.call<Me>('PUT', '/me/status', s);
  }
}
