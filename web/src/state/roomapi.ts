// What people do with rooms and with each other, by REST.

import type { Api } from '../net/api';
import type { ModerationApi } from '../view/moderationport';
import type { PollApi } from '../view/pollport';
import type * as port from '../view/port';
import type { FollowedThread } from '../view/threadport';
import type {
  AssistantList,
  Ban,
  Event,
  Bot,
  BotToken,
  Hook,
  Invite,
  KeepOf,
  Me,
  Message,
  Profile,
  RetentionRules,
  PublicRoom,
  Room,
  RoomState,
  User,
} from '../view/types';
import type { EmojiApi } from '../view/emojiport';
import type { UserGroupApi } from '../view/usergroupport';

/** The rooms as far as an answer can change them. */
export interface Known {
  get(room: string): RoomState | undefined;
  /** takes a room that the user is in now, and returns its id */
  enter(room: RoomState): string;
  /** the user follows each thread of a room from now on, or not any longer */
  followThreads(room: string, following: boolean): void;
  /** done once the rooms are known */
  readonly ready: Promise<void>;
}

export class RoomApi implements port.RoomApi {
  readonly #api: Api<Me>;
  readonly #rooms: Known;
  #groups: UserGroupApi | undefined;

  constructor(api: Api<Me>, rooms: Known) {
    this.#api = api;
    this.#rooms = rooms;
  }

  async findUsers(q: string): Promise<User[]> {
    return (await this.#get<port.PageOf<Profile>>(`/users?${new URLSearchParams({ q, limit: '20' })}`)).items;
  }
  people(q: string, shared: boolean, cursor: string): Promise<port.PageOf<Profile>> {
    return this.#get(`/users?${new URLSearchParams({ q, shared: String(shared), cursor, limit: '100' })}`);
  }
  user(idOrName: string): Promise<Profile> {
    return this.#get(`/users/${encodeURIComponent(idOrName)}`);
  }
  async sharedRooms(user: string): Promise<string[]> {
    return (await this.#get<{ items: string[] }>(`/users/${user}/rooms`)).items;
  }
  async createRoom(r: { kind: 'public' | 'private'; name: string; topic: string; members: string[] }): Promise<string> {
    return this.#rooms.enter(await this.#api.call<RoomState>('POST', '/rooms', r));
  }
  publicRooms(q: string, cursor: string): Promise<port.PageOf<PublicRoom>> {
    return this.#get(`/rooms/public?${new URLSearchParams({ q, cursor })}`);
  }
  lookUp(room: string): Promise<Room & { guests?: number }> {
    return this.#get(`/rooms/${room}`);
  }
  async joinRoom(room: string): Promise<void> {
    this.#rooms.enter(await this.#api.call<RoomState>('POST', `/rooms/${room}/join`));
  }
  async direct(users: string[]): Promise<string> {
    return this.#rooms.enter(await this.#api.call<RoomState>('POST', '/direct', { users }));
  }
  async updateRoom(
    room: string,
    change: Parameters<port.RoomApi['updateRoom']>[1],
  ): Promise<void> {
    await this.#api.call('PATCH', `/rooms/${room}`, change);
  }
  async setRoomPicture(room: string, file: File | null): Promise<void> {
    const at = `/rooms/${room}/avatar`;
    await (file ? this.#api.call('PUT', at, file) : this.#api.call('DELETE', at));
  }
  removePreview(room: string, seq: number, url: string): Promise<void> {
    return this.#api.call('DELETE', `/rooms/${room}/messages/${seq}/previews?${new URLSearchParams({ url })}`);
  }
  appeal(room: string, seq: number): Promise<void> {
    return this.#api.call('POST', `/rooms/${room}/messages/${seq}/appeal`);
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
    return this.#api.call('PATCH', `/rooms/${room}/members/${user}`, {
      muted_until: until ?? new Date(0).toISOString(),
    });
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

  async bots(): Promise<Bot[]> {
    return (await this.#get<port.PageOf<Bot>>('/bots')).items;
  }
  createBot(username: string, name: string, scopes: readonly string[]): Promise<Bot> {
    return this.#api.call('POST', '/bots', { username, ...(name && { display_name: name }), token: { scopes } });
  }
  createBotToken(bot: string, scopes: readonly string[]): Promise<BotToken> {
    return this.#api.call('POST', `/bots/${bot}/tokens`, { scopes });
  }
  revokeBotToken(bot: string, token: string): Promise<void> {
    return this.#api.call('DELETE', `/bots/${bot}/tokens/${token}`);
  }
  deleteBot(bot: string): Promise<void> {
    return this.#api.call('DELETE', `/bots/${bot}`);
  }
  assistants(): Promise<AssistantList> {
    return this.#get('/assistants');
  }
  setAssistant(bot: string, instructions: string): Promise<void> {
    return this.#api.call('PUT', `/bots/${bot}/assistant`, { instructions });
  }
  endAssistant(bot: string): Promise<void> {
    return this.#api.call('DELETE', `/bots/${bot}/assistant`);
  }
  async hooks(room: string): Promise<Hook[]> {
    return (await this.#get<port.PageOf<Hook>>(`/rooms/${room}/hooks`)).items;
  }
  createHook(room: string, name: string): Promise<Hook> {
    return this.#api.call('POST', `/rooms/${room}/hooks`, { name });
  }
  renewHook(room: string, hook: string): Promise<Hook> {
    return this.#api.call('POST', `/rooms/${room}/hooks/${hook}/secret`);
  }
  setHookFaces(room: string, hook: string, faces: boolean): Promise<Hook> {
    return this.#api.call('PATCH', `/rooms/${room}/hooks/${hook}`, { faces });
  }
  setHookPicture(room: string, hook: string, file: File): Promise<void> {
    return this.#api.call('PUT', `/rooms/${room}/hooks/${hook}/avatar`, file);
  }
  deleteHook(room: string, hook: string): Promise<void> {
    return this.#api.call('DELETE', `/rooms/${room}/hooks/${hook}`);
  }
  forward(room: string, key: string, { room: from, seq }: Message, text: string): Promise<void> {
    return this.#api.call('POST', `/rooms/${room}/forwards`, { key, from, seq, ...(text && { text }) });
  }
  async polls(): Promise<PollApi> {
    return new (await import('./pollapi')).Polls(this.#api);
  }
  async moderation(): Promise<ModerationApi> {
    return new (await import('./moderationapi')).Moderation(this.#api);
  }
  async userGroups(): Promise<UserGroupApi> {
    return (this.#groups ??= new (await import('./usergroupapi')).UserGroups(this.#api));
  }
  async emoji(): Promise<EmojiApi> {
    return new (await import('./emojiapi')).ServerEmojiApi(this.#api);
  }
  async outgoing(): Promise<port.OutgoingApi> {
    return new (await import('./outgoing')).Outgoing(this.#api);
  }
  threads(unread: boolean, cursor: string): Promise<port.PageOf<FollowedThread>> {
    return this.#get(`/threads?${new URLSearchParams({ cursor, ...(unread && { unread: 'true' }) })}`);
  }
  async followThreads(room: string, following: boolean): Promise<void> {
    await this.#api.call('PUT', `/rooms/${room}/threads`, { following });
    this.#rooms.followThreads(room, following);
  }

  async search(q: string, sort: 'newest' | 'relevance', cursor: string): Promise<port.SearchPage> {
    type Found = Omit<port.SearchHit, 'room'>;
    const got = await this.#get<port.PageOf<Found> & { incomplete?: boolean; meaning?: boolean }>(
      `/search?${new URLSearchParams({ q, sort, cursor, zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}`,
    );
    await this.#rooms.ready; // a hit without its room cannot be shown
    const items = got.items.flatMap((h) => {
      const room = this.#rooms.get(h.message.room);
      return room ? [{ ...h, room }] : [];
    });
    return { items, next: got.next, incomplete: got.incomplete, meaning: got.meaning };
  }

  #get<T>(path: string): Promise<T> {
    return this.#api.call<T>('GET', path);
  }
}
