// What the views ask of the state behind them, and nothing more. Every getter
// is reactive: reading it in a component follows it.

import { getContext, setContext } from 'svelte';
import type { Administration } from './adminport';
import type { Files } from './filesport';
import type { Firmware } from './firmwareport';
import type { Fleet } from './fleetport';
import type { NotifyModel } from './notifyport';
import type { Pending } from './room/lines';
import type { Pins } from './pinport';
import type { Later } from './laterport';
import type { LinkedMessages } from './linkedport';
import type { ModerationApi, ReportNews } from './moderationport';
import type { PollApi } from './pollport';
import type { SavedMessages } from './savedport';
import type { Arranged, Sections } from './sectionport';
import type { Slash } from './slashport';
import type { FollowedThread, ThreadModel } from './threadport';
import type {
  AssistantList,
  Ban,
  Bot,
  BotToken,
  Event,
  FileView,
  Hook,
  HookDelivery,
  Invite,
  KeepOf,
  Me,
  Member,
  Message,
  OutgoingHook,
  Poll,
  Profile,
  PublicRoom,
  RetentionRules,
  Room,
  RoomLook,
  RoomRequest,
  RoomState,
  Screening,
  SlashCommand,
  Status,
  User,
} from './types';
import type { EmojiApi } from './emojiport';
import type { UserGroupApi } from './usergroupport';

/** A page of a list and where to go on. */
export interface PageOf<T> {
  items: T[];
  next?: string | undefined;
}

/** The port that devices connect to by MQTT. */
export interface MqttPort {
  /** if it is not that of the web client */
  host?: string | undefined;
  port: number;
  tls: boolean;
  /** it is closed to other machines */
  local: boolean;
}

/** What a visitor may know of the server. */
export interface Server {
  name: string;
  registration: 'open' | 'invite' | 'closed';
  setup: boolean;
  /** a new account's address is proven by mail, and a forgotten password replaced by one */
  mail: boolean;
  passkeys: boolean;
  /** rooms may show previews of links */
  previews: boolean;
  providers: { id: string; label: string }[];
  /** where devices connect by MQTT */
  mqtt?: MqttPort | undefined;
}

/** What a sign-in asks for after the password. */
export interface Step {
  ticket: string;
  methods: string[];
}

/** A user's second factors. */
export interface Factors {
  totp?: string;
  passkeys: { id: string; name: string; created_at: string; used_at?: string }[];
  recovery_codes: number;
  remembered: { id: string; device: string; ip: string; used_at: string; expires_at: string }[];
  required: boolean;
}

/** A sign-in that is alive. */
export interface SessionView {
  id: string;
  device: string;
  ip: string;
  created_at: string;
  last_seen_at: string;
  current: boolean;
}

/** What an authenticator app is set up with. */
export interface Enrolment {
  secret: string;
  uri: string;
  picture: { size: number; path: string };
}

/** The user's own account, as far as it is about who they are. */
export interface Security {
  factors(): Promise<Factors>;
  sessions(): Promise<SessionView[]>;
  endSession(id: string): Promise<void>;
  endOthers(): Promise<void>;
  forgetBrowser(id: string): Promise<void>;
  changePassword(current: string, next: string): Promise<void>;
  /** whether a mail must be answered first */
  changeEmail(email: string): Promise<boolean>;
  enrol(): Promise<Enrolment>;
  /** recovery codes, to be shown this once; none if there were some before */
  confirmApp(code: string): Promise<string[]>;
  removeApp(): Promise<void>;
  newCodes(): Promise<string[]>;
  addPasskey(name: string): Promise<string[]>;
  renamePasskey(id: string, name: string): Promise<void>;
  removePasskey(id: string): Promise<void>;
  exportAll(): Promise<Blob>;
  deleteAccount(): Promise<void>;
  stepUp(proof: { password: string; code: string }): Promise<void>;
  /** password: needed where the passkey verifies nobody; may be empty */
  stepUpByPasskey(password: string): Promise<void>;
}

/** A key of a device, without its secret. */
export interface DeviceKey {
  id: string;
  created_at: string;
  expires?: string;
  revoked_at?: string;
  last_used?: string;
  live: boolean;
}

export interface Device {
  id: string;
  name: string;
  created_at: string;
  expires?: string;
  revoked_at?: string;
  last_used?: string;
  last_ip?: string;
  /** the newest first */
  keys: DeviceKey[];
}

/** The one answer that a key is in. */
export interface IssuedKey {
  device: Device;
  key_id: string;
  key: string;
}

/** The user's own devices. Times are RFC 3339; empty: the server's choice. */
export interface Devices {
  list(): Promise<Device[]>;
  register(name: string, expires: string): Promise<IssuedKey>;
  rename(id: string, name: string): Promise<void>;
  /** another key; the one before stays good until a time */
  rotate(id: string, oldUntil: string): Promise<IssuedKey>;
  revokeKey(id: string, key: string): Promise<void>;
  revoke(id: string): Promise<void>;
}

export interface Seen {
  is: string;
  text?: string | undefined;
  emoji?: string | undefined;
  last_seen?: string | undefined;
  /** of a device that is asleep: from then on it is offline */
  until?: string | undefined;
}

/** How the connection stands, if it deserves a word. */
export interface Connection {
  state: 'live' | 'offline' | 'connecting' | 'syncing' | 'waiting';
  /** it has been so for long enough to say it */
  show: boolean;
  /** until the next try */
  seconds: number;
  /** when what is shown was true, in milliseconds since 1970; 0: it is true now */
  since: number;
}

/** A page of hits. While older messages are being indexed it is not complete. */
export interface SearchPage extends PageOf<SearchHit> {
  incomplete?: boolean | undefined;
  /** by relevance, messages are found by what they mean, too */
  meaning?: boolean | undefined;
}

export interface SearchHit {
  message: Message;
  room: Room;
  snippet: string;
  marks: [number, number][];
  /** it was found by what it means */
  by_meaning?: boolean | undefined;
}

/** One room that is open. */
export interface RoomModel {
  readonly events: readonly Event[];
  readonly pending: readonly Pending[];
  readonly phase: 'loading' | 'ready' | 'failed';
  readonly error: string;
  /** when what is shown was true, if it was kept in the browser and the server has not said anything since */
  readonly since?: number | undefined;
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  readonly loading: 'older' | 'newer' | '';
  readonly typing: readonly User[];
  draft: string;
  older(): void;
  newer(): void;
  latest(): Promise<void>;
  around(seq: number): Promise<void>;
  /** loads what was said at a time, with what is before and after it */
  at(time: Date): Promise<void>;
  retryLoad(): void;
  /** type: media type of the text; nothing: Markdown */
  send(text: string, replyTo?: Message, files?: readonly FileView[], type?: string): void;
  retry(key: string): void;
  discard(key: string): void;
  edit(seq: number, text: string): Promise<void>;
  /** marks the n-th task of a message, which says this, as done or not */
  tick(seq: number, n: number, task: string, done: boolean): Promise<void>;
  remove(seq: number): Promise<void>;
  /** adds the user's emoji to a message, or takes it away; the number of the event, 0: it was so already */
  react(seq: number, emoji: string, add: boolean): Promise<number>;
  /** the first of those who gave an emoji to a message */
  reactors(seq: number, emoji: string): Promise<PageOf<{ user: User }>>;
  versions(seq: number): Promise<{ text: string; at: string }[]>;
  /** the thread of a message; it has still to be shown */
  thread(root: number): Promise<ThreadModel>;
  /** the pinned messages; they may have still to be loaded */
  pins(): Promise<Pins>;
  /** takes a poll, in the room or a thread, as the server has answered */
  showPoll(seq: number, poll: Poll): void;
  /** a message as it is now */
  message(seq: number): Promise<Message>;
  /** what the room has is read; all: and what its threads have */
  markRead(all?: boolean): void;
  /** a message and those after it are unread again, and stay so while the room is shown */
  markUnread(seq: number): Promise<void>;
  /** whether looking at the room leaves it unread: until the user writes, comes back, or says otherwise */
  keepUnread(kept: boolean): void;
  /** loads what an event stands for: joins and departures that were left out before it */
  unfold(seq: number): Promise<void>;
  /** lets go of the older part of a long timeline whose end is shown */
  trim(): void;
  writing(): void;
  members(q: string, cursor: string): Promise<PageOf<Member>>;
}

/** What the user keeps for themselves, on all their devices. */
export interface Personal {
  readonly saved: SavedMessages;
  readonly later: Later;
  readonly sections: Sections;
  readonly reports: ReportNews;
  readonly slash: Slash;
  readonly linked: LinkedMessages;
}

/** What this device remembers. */
export interface Settings {
  theme: 'auto' | 'light' | 'dark';
  /** how close messages and rooms are to each other */
  density: 'comfortable' | 'compact';
  enterSends: boolean;
  /** of links */
  previews: boolean;
  railOpen: boolean;
  /** the list shows only rooms in which there is something to read */
  unreadOnly: boolean;
  closedSections: string[];
}

export interface Notifications {
  readonly permission: 'on' | 'off' | 'default' | 'denied' | 'unsupported';
  /** the server tells this browser also while no page is open */
  readonly pushes: boolean;
  enable(title: string): Promise<void>;
  /** fails if the server could not be told */
  disable(): Promise<void>;
  /** shows one */
  test(title: string): Promise<void>;
  /** whether the browser allows it may have changed */
  look(): void;
  /** shows a report in a room or, without one, for administrators; says whether the page is to tell of it, too */
  reported(room: string, title: string, body: string, path: string): Promise<boolean>;
  /** takes that away: none waits there any more */
  decided(room: string): void;
  /** names the open room, or nothing, in the title of the page */
  at(place: string): void;
}

/** Who must ask before they bring the user into a room. */
export type AskedBy = 'nobody' | 'strangers' | 'everyone';

/** Rooms that strangers want the user in. */
export interface Requests {
  readonly items: readonly RoomRequest[];
  readonly askedBy: AskedBy;
  load(): Promise<void>;
  /** returns the room */
  accept(room: string): Promise<string>;
  /** with block, who asked cannot ask again for any room */
  decline(room: string, block: boolean): Promise<void>;
  choose(askedBy: AskedBy): Promise<void>;
  blocked(): Promise<User[]>;
  /** who is blocked is not told */
  block(user: string): Promise<void>;
  unblock(user: string): Promise<void>;
}

/** The user's rooms. */
export interface Rooms {
  /** the latest first */
  readonly list: readonly RoomState[];
  /** why the user is no longer in a room that was here */
  goneReason(room: string): 'left' | 'kicked' | 'banned' | 'deleted' | undefined;
  draftIn(room: string): boolean;
  /** grows whenever something happens in a thread */
  readonly threadNews: number;
  open(room: string): RoomModel;
  /** all of it, with its threads */
  markRead(room: string): void;
  /** what was written in a room and is not sent, also in one that is gone */
  unsent(room: string): readonly Pending[];
  discard(key: string): void;
}

/** Who is there. */
export interface People {
  /** grows whenever somebody has a new name or picture */
  readonly renames: number;
  presence(user: string): Seen | undefined;
  /** whether the user has blocked somebody */
  blocked(user: string): boolean;
  watch(users: readonly string[]): void;
}

/** The connection. */
export interface Link extends Connection {
  tryNow(): void;
}

/** What people do with rooms and with each other. */
export interface RoomApi extends HookApi, BotApi {
  findUsers(q: string): Promise<User[]>;
  /** people by username, a page; shared: only those of the user's rooms */
  people(q: string, shared: boolean, cursor: string): Promise<PageOf<Profile>>;
  user(idOrName: string): Promise<Profile>;
  /** the ids of the rooms that somebody is in, too; of the latest messages first */
  sharedRooms(user: string): Promise<string[]>;
  createRoom(r: { kind: 'public' | 'private'; name: string; topic: string; members: string[] }): Promise<string>;
  publicRooms(q: string, cursor: string): Promise<PageOf<PublicRoom>>;
  lookUp(room: string): Promise<Room & { guests?: number }>;
  joinRoom(room: string): Promise<void>;
  direct(users: string[]): Promise<string>;
  updateRoom(
    room: string,
    change: {
      name?: string;
      topic?: string;
      kind?: 'public' | 'private';
      archived?: boolean;
      retention?: KeepOf;
      previews?: boolean;
      hides_history?: boolean;
      look?: { colour?: string; emoji?: string };
      screening?: Screening;
    },
  ): Promise<void>;
  /** null takes the picture of a room away */
  setRoomPicture(room: string, file: File | null): Promise<void>;
  /** takes the preview of a link of a message away, for everybody */
  removePreview(room: string, seq: number, url: string): Promise<void>;
  /** asks moderators to decide on a message of the user that the server flagged */
  appeal(room: string, seq: number): Promise<void>;
  /** how long the server keeps messages, and what a room may choose */
  retention(): Promise<RetentionRules>;
  deleteRoom(room: string): Promise<void>;
  leaveRoom(room: string): Promise<void>;
  /** false: they are asked first */
  addMember(room: string, user: string): Promise<boolean>;
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
  /** the threads that the user follows, with one in which something was said last first */
  threads(unread: boolean, cursor: string): Promise<PageOf<FollowedThread>>;
  /** whether the user follows each thread of a room that gets a reply from now on */
  followThreads(room: string, following: boolean): Promise<void>;
  /** copies a message to a room, with a text of one's own */
  forward(room: string, key: string, of: Message, text: string): Promise<void>;
  /** loaded when it is asked for first */
  polls(): Promise<PollApi>;
  /** the same */
  moderation(): Promise<ModerationApi>;
  /** the same */
  userGroups(): Promise<UserGroupApi>;
  /** the same */
  emoji(): Promise<EmojiApi>;
  search(q: string, sort: 'newest' | 'relevance', cursor: string): Promise<SearchPage>;
}

/** The bots of who is signed in. */
export interface BotApi {
  bots(): Promise<Bot[]>;
  /** the answer has the token */
  createBot(username: string, name: string, scopes: readonly string[]): Promise<Bot>;
  createBotToken(bot: string, scopes: readonly string[]): Promise<BotToken>;
  revokeBotToken(bot: string, token: string): Promise<void>;
  deleteBot(bot: string): Promise<void>;
  assistants(): Promise<AssistantList>;
  setAssistant(bot: string, instructions: string): Promise<void>;
  endAssistant(bot: string): Promise<void>;
}

/** The webhooks of rooms. */
export interface HookApi {
  hooks(room: string): Promise<Hook[]>;
  /** the answer has the address */
  createHook(room: string, name: string): Promise<Hook>;
  renewHook(room: string, hook: string): Promise<Hook>;
  setHookFaces(room: string, hook: string, faces: boolean): Promise<Hook>;
  setHookPicture(room: string, hook: string, file: File): Promise<void>;
  deleteHook(room: string, hook: string): Promise<void>;
  /** loaded when it is asked for first */
  outgoing(): Promise<OutgoingApi>;
}

/** The addresses to which the server sends what happens in rooms. */
export interface OutgoingApi extends CommandApi {
  list(room: string): Promise<OutgoingHook[]>;
  /** the answer has the secret */
  create(room: string, name: string, url: string, programs: boolean): Promise<OutgoingHook>;
  switch(room: string, hook: string, on: boolean): Promise<OutgoingHook>;
  /** the answer has the new secret */
  rotate(room: string, hook: string): Promise<OutgoingHook>;
  test(room: string, hook: string): Promise<void>;
  /** the newest first */
  deliveries(room: string, hook: string): Promise<HookDelivery[]>;
  redeliver(room: string, hook: string, delivery: string): Promise<void>;
  remove(room: string, hook: string): Promise<void>;
}

/** What a slash command says of itself, and whom it asks. */
export interface CommandFields {
  name: string;
  description: string;
  hint: string;
  url: string;
  /** of the server: which rooms have it; empty: public and private ones */
  rooms?: '' | 'public' | 'private';
  /** of the server: guests may use it */
  guests?: boolean;
}

/** Manages the slash commands of a room; those of the server with an empty room. */
export interface CommandApi {
  /** in a room, also those of the server that it has */
  commands(room: string): Promise<SlashCommand[]>;
  /** the answer has the secret */
  createCommand(room: string, c: CommandFields): Promise<SlashCommand>;
  changeCommand(
    room: string,
    command: string,
    change: Partial<Omit<CommandFields, 'name'>> & { on?: boolean },
  ): Promise<SlashCommand>;
  /** the answer has the new secret */
  rotateCommand(room: string, command: string): Promise<SlashCommand>;
  removeCommand(room: string, command: string): Promise<void>;
}

/** The state behind the signed-in views. */
export interface App {
  readonly server: Server;
  readonly me: Me;
  readonly textLimit: number;
  readonly settings: Settings;
  readonly notifications: Notifications;
  /** why this browser keeps nothing for the page, if it does not */
  readonly storageTrouble: '' | 'blocked' | 'full';
  readonly link: Link;
  readonly rooms: Rooms;
  readonly arranged: Arranged;
  /** rooms of which the user wants to be told nothing */
  readonly muted: ReadonlySet<string>;
  readonly people: People;
  readonly api: RoomApi;
  readonly requests: Requests;
  readonly fleet: Fleet;
  /** loaded when it is asked for first */
  firmware(): Promise<Firmware>;
  /** the same */
  files(): Promise<Files>;
  /** the same */
  notifyModel(): Promise<NotifyModel>;
  /** the same */
  personal(): Promise<Personal>;
  /** whether there may be files that no message has yet */
  readonly uploads: boolean;
  /** how many drafts and messages on their way only this browser has */
  unsent(): number;
  /** ends the session, and forgets what is unsent */
  signOut(): Promise<void>;
  saveProfile(p: { display_name: string; about: string; locale: string; time_zone: string }): Promise<void>;
  savePicture(file: File | null): Promise<void>;
  saveStatus(s: Status): Promise<void>;
}

/** What an invitation link leads to. */
export interface Invitation {
  room: { id: string; kind: Room['kind']; name?: string; topic?: string; members: number; look?: RoomLook };
  member: boolean;
}

export interface Registration {
  username: string;
  display_name: string;
  email: string;
  password: string;
  setup_token?: string;
  invite?: string;
}

export type MailLink = 'verify' | 'unlock' | 'confirm-email' | 'undo-email' | 'unsubscribe';

/** Who is here: a visitor, or someone who is signed in. */
export interface Session {
  readonly stage: 'starting' | 'unreachable' | 'out' | 'limited' | 'in';
  readonly server: Server;
  /** the address where this page works, if it cannot where it was opened */
  readonly elsewhere: string | undefined;
  /** the session was ended from elsewhere */
  readonly ended: boolean;
  /** the refusal that says more of that, if there is one */
  readonly endedBy: unknown;
  /** set while stage is in */
  readonly app: App | undefined;
  /** set while stage is in; the server refuses it to all but administrators */
  readonly administration: (() => Promise<Administration>) | undefined;
  /** set while stage is in */
  readonly devices: Devices | undefined;
  /** set while stage is in or limited */
  readonly security: Security | undefined;
  /** somebody must prove who they are before they go on: with true, they have */
  readonly confirming: ((done: boolean) => void) | undefined;
  signOut(): Promise<void>;
  /** what is asked for next, or nothing: signed in */
  signIn(login: string, password: string): Promise<Step | undefined>;
  answer(step: Step, code: string, remember: boolean): Promise<void>;
  answerByPasskey(step: Step, remember: boolean): Promise<void>;
  passkeySignIn(): Promise<void>;
  /** the address of the provider's page */
  provider(id: string): Promise<string>;
  providerBack(query: string): Promise<Step | undefined>;
  /** whether a mail must be answered first */
  register(a: Registration): Promise<boolean>;
  resend(email: string): Promise<void>;
  forgot(login: string): Promise<void>;
  reset(token: string, password: string): Promise<void>;
  /** uses the link of a mail */
  use(link: MailLink, token: string): Promise<void>;
  invitation(code: string): Promise<Invitation>;
  /** joins by an invitation and returns the room */
  accept(code: string): Promise<string>;
}

const key = Symbol('app');

const ownKey = Symbol('own');

/** What is behind the pages about the account and the server. */
export interface Own {
  security: Security | undefined;
  administration: (() => Promise<Administration>) | undefined;
  devices: Devices | undefined;
  /** the server and this browser can have passkeys */
  passkeys: boolean;
  /** the server can send mails */
  mail: boolean;
}

export const provideOwn = (own: Own): Own => setContext(ownKey, own);
export const useOwn = (): Own => getContext<Own>(ownKey);

export const provideApp = (app: App): App => setContext(key, app);
export const useApp = (): App => getContext<App>(key);
