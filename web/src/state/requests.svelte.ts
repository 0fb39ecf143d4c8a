// Rooms that strangers want the user in.

import type { Api } from '../net/api';
import type * as port from '../view/port';
import type { Me, RoomRequest, RoomState, User } from '../view/types';

export class Requests implements port.Requests {
  readonly #api: Api<Me>;
  readonly #joined: (room: RoomState) => string;
  #items: RoomRequest[] = $state.raw([]);
  #askedBy: port.AskedBy = $state('strangers');

  constructor(api: Api<Me>, joined: (room: RoomState) => string) {
    this.#api = api;
    this.#joined = joined;
  }

  get items(): readonly RoomRequest[] {
    return this.#items;
  }
  get askedBy(): port.AskedBy {
    return this.#askedBy;
  }

  /** Takes what the first frame of a connection says: how many wait. */
  count(waiting: number): void {
    if (waiting) void this.load().catch(() => {}); // the next connection tells again
    else this.#items = [];
  }

  asked(r: RoomRequest): void {
    this.#items = [r, ...this.#items.filter((i) => i.room !== r.room)];
  }

  answered(room: string): void {
    this.#items = this.#items.filter((i) => i.room !== room);
  }

  async load(): Promise<void> {
    const got = await this.#api.call<{ items: RoomRequest[]; asked_by: port.AskedBy }>('GET', '/requests');
    this.#items = got.items;
    this.#askedBy = got.asked_by;
  }

  async accept(room: string): Promise<string> {
    const state = await this.#api.call<RoomState>('POST', `/requests/${room}/accept`);
    this.answered(room);
    return this.#joined(state);
  }

  async decline(room: string, block: boolean): Promise<void> {
    await this.#api.call('POST', `/requests/${room}/decline`, { block });
    if (block) await this.load(); // others of the same person are gone as well
    this.answered(room);
  }

  async choose(askedBy: port.AskedBy): Promise<void> {
    await this.#api.call('PUT', '/me/requests', { asked_by: askedBy });
    this.#askedBy = askedBy;
  }

  async blocked(): Promise<User[]> {
    return (await this.#api.call<port.PageOf<User>>('GET', '/me/blocked')).items;
  }

  block(user: string): Promise<void> {
    return this.#api.call('PUT', `/me/blocked/${user}`);
  }

  unblock(user: string): Promise<void> {
    return this.#api.call('DELETE', `/me/blocked/${user}`);
  }
}
