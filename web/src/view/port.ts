// What the views ask of the state behind them, and nothing more. Every getter
// is reactive: reading it in a component follows it.

import { getContext, setContext } from 'svelte';
import type { Pending } from './room/lines';
import type { Event, Invite, Ban, Me, Member, Message, Profile, Room, RoomState, Status, User } from './types';

/** A page of a list and where to go on. */
export interface PageOf<T> {
  items: T[];
  next?: string | undefined;
}

/** What a visitor may know of the server. */
export interface Server {
  name: string;
  registration: boolean;
  setup: boolean;
}

export interface Seen {
  is: string;
  text?: string | undefined;
  emoji?: string | undefined;
  last_seen?: string | undefined;
}

/** How the connection stands, if it deserves a word. */
export interface Connection {
  state: 'live' | 'offline' | 'connecting' | 'syncing' | 'waiting';
  /** it has been so for long enough to say it */
  show: boolean;
  /** until the next try */
  seconds: number;
}

export interface SearchHit {
  message: Message;
  room: Room;
  snippet: string;
  marks: [number, number][];
}

/** One room that is open. */
export interface RoomModel {
  readonly events: readonly Event[];
  readonly pending: readonly Pending[];
  readonly phase: 'loading' | 'ready' | 'failed';
  readonly error: string;
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  readonly loading: 'older' | 'newer' | '';
  readonly typing: readonly User[];
  draft: string;
  older(): void;
  newer(): void;
  latest(): Promise<void>;
  around(seq: number): Promise<void>;
  retryLoad(): void;
  send(text: string, replyTo?: Message): void;
  retry(key: string): void;
  discard(key: string): void;
  edit(seq: number, text: string): Promise<void>;
  remove(seq: number): Promise<void>;
  versions(seq: number): Promise<{ text: string; at: string }[]>;
  markRead(): void;
  writing(): void;
  members(q: string, cursor: string): Promise<PageOf<Member>>;
}

/** What this device remembers. */
export interface Settings {
  theme: 'auto' | 'light' | 'dark';
  enterSends: boolean;
  railOpen: boolean;
  closedSections: string[];
}

export interface Notifications {
  readonly permission: 'on' | 'off' | 'default' | 'denied' | 'unsupported';
  enable(): Promise<void>;
  disable(): void;
}

/** The state behind the signed-in views. */
export interface App {
  readonly server: Server;
  readonly me: Me;
  readonly connection: Connection;
  readonly rooms: readonly RoomState[];
  readonly textLimit: number;
  readonly settings: Settings;
  readonly notifications: Notifications;
  /** why the user is no longer in a room that was here */
  goneReason(room: string): 'left' | 'kicked' | 'banned' | 'deleted' | undefined;
  draftIn(room: string): boolean;
  presence(user: string): Seen | undefined;
  watch(users: string[]): void;
  open(room: string): RoomModel;
  tryNow(): void;
  signOut(): Promise<void>;

  findUsers(q: string): Promise<User[]>;
  user(idOrName: string): Promise<Profile>;
  createRoom(r: { kind: 'public' | 'private'; name: string; topic: string; members: string[] }): Promise<string>;
  publicRooms(q: string, cursor: string): Promise<PageOf<Room & { joined: boolean }>>;
  lookUp(room: string): Promise<Room>;
  joinRoom(room: string): Promise<void>;
  direct(users: string[]): Promise<string>;
  updateRoom(room: string, change: { name?: string; topic?: string; kind?: 'public' | 'private'; archived?: boolean }): Promise<void>;
  deleteRoom(room: string): Promise<void>;
  leaveRoom(room: string): Promise<void>;
  addMember(room: string, user: string): Promise<void>;
  setRole(room: string, user: string, role: string): Promise<void>;
  mute(room: string, user: string, until: string | null): Promise<void>;
  kick(room: string, user: string, reason: string): Promise<void>;
  ban(room: string, user: string, reason: string): Promise<void>;
  unban(room: string, user: string): Promise<void>;
  handOver(room: string, user: string): Promise<void>;
  bans(room: string): Promise<Ban[]>;
  invites(room: string): Promise<Invite[]>;
  createInvite(room: string, o: { expires_in?: number; max_uses?: number }): Promise<Invite>;
  revokeInvite(room: string, id: string): Promise<void>;
  search(q: string, sort: 'newest' | 'relevance', cursor: string): Promise<PageOf<SearchHit>>;
  saveProfile(p: { display_name: string; about: string; locale: string; time_zone: string }): Promise<void>;
  savePicture(file: File | null): Promise<void>;
  saveStatus(s: Status): Promise<void>;
}

/** What an invitation link leads to. */
export interface Invitation {
  room: { id: string; name?: string | undefined; topic?: string | undefined; members: number };
  member: boolean;
}

/** Who is here: a visitor, or someone who is signed in. */
export interface Session {
  readonly stage: 'starting' | 'unreachable' | 'out' | 'in';
  readonly server: Server;
  /** the session was ended from elsewhere */
  readonly ended: boolean;
  /** set while stage is in */
  readonly app: App | undefined;
  signIn(login: string, password: string): Promise<void>;
  register(a: { username: string; display_name: string; email: string; password: string; setup_token?: string }): Promise<void>;
  invitation(code: string): Promise<Invitation>;
  /** joins by an invitation and returns the room */
  accept(code: string): Promise<string>;
}

const key = Symbol('app');

export const provideApp = (app: App): App => setContext(key, app);
export const useApp = (): App => getContext<App>(key);
