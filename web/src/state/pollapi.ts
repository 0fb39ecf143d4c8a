// Polls of rooms, by REST.

import type { Api } from '../net/api';
import type { PageOf, PollApi, Wanted } from '../view/pollport';
import type { Me, Message, Poll, User } from '../view/types';

export class Polls implements PollApi {
  readonly #api: Api<Me>;

  constructor(api: Api<Me>) {
    this.#api = api;
  }

  async create(room: string, key: string, poll: Wanted): Promise<void> {
    await this.#api.call('POST', `/rooms/${room}/polls`, { key, ...poll });
  }
  async vote(room: string, seq: number, choices: readonly number[]): Promise<Poll> {
    return (await this.#api.call<{ poll: Poll }>('PUT', `${at(room, seq)}/poll/vote`, { choices })).poll;
  }
  async close(room: string, seq: number): Promise<Poll> {
    return (await this.#api.call<{ poll: Poll }>('PUT', `${at(room, seq)}/poll/closed`)).poll;
  }
  voters(room: string, seq: number, choice: number): Promise<PageOf<{ user: User }>> {
    return this.#api.call('GET', `${at(room, seq)}/poll/choices/${choice}/voters?limit=50`);
  }
  async load(room: string, seq: number): Promise<Poll | undefined> {
    return (await this.#api.call<Message>('GET', at(room, seq))).poll;
  }
}

const at = (room: string, seq: number): string => `/rooms/${room}/messages/${seq}`;
