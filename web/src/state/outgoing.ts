// The outgoing webhooks and slash commands of rooms, by REST.

import type { Api } from '../net/api';
import type { OutgoingApi, PageOf } from '../view/port';
import type { HookDelivery, Me, OutgoingHook, SlashCommand } from '../view/types';

export class Outgoing implements OutgoingApi {
  readonly #api: Api<Me>;

  constructor(api: Api<Me>) {
    this.#api = api;
  }

  async list(room: string): Promise<OutgoingHook[]> {
    return (await this.#api.call<PageOf<OutgoingHook>>('GET', at(room))).items;
  }
  create(room: string, name: string, url: string, programs: boolean): Promise<OutgoingHook> {
    return this.#api.call('POST', at(room), { name, url, programs });
  }
  switch(room: string, hook: string, on: boolean): Promise<OutgoingHook> {
    return this.#api.call('PATCH', `${at(room)}/${hook}`, { on });
  }
  rotate(room: string, hook: string): Promise<OutgoingHook> {
    return this.#api.call('POST', `${at(room)}/${hook}/secret`);
  }
  test(room: string, hook: string): Promise<void> {
    return this.#api.call('POST', `${at(room)}/${hook}/test`);
  }
  async deliveries(room: string, hook: string): Promise<HookDelivery[]> {
    return (await this.#api.call<PageOf<HookDelivery>>('GET', `${at(room)}/${hook}/deliveries`)).items;
  }
  redeliver(room: string, hook: string, delivery: string): Promise<void> {
    return this.#api.call('POST', `${at(room)}/${hook}/deliveries/${encodeURIComponent(delivery)}`);
  }
  remove(room: string, hook: string): Promise<void> {
    return this.#api.call('DELETE', `${at(room)}/${hook}`);
  }

  async commands(room: string): Promise<SlashCommand[]> {
    return (await this.#api.call<PageOf<SlashCommand>>('GET', slash(room))).items;
  }
  createCommand(room: string, c: Parameters<OutgoingApi['createCommand']>[1]): Promise<SlashCommand> {
    return this.#api.call('POST', slash(room), c);
  }
  changeCommand(
    room: string,
    command: string,
    change: Parameters<OutgoingApi['changeCommand']>[2],
  ): Promise<SlashCommand> {
    return this.#api.call('PATCH', `${slash(room)}/${command}`, change);
  }
  rotateCommand(room: string, command: string): Promise<SlashCommand> {
    return this.#api.call('POST', `${slash(room)}/${command}/secret`);
  }
  removeCommand(room: string, command: string): Promise<void> {
    return this.#api.call('DELETE', `${slash(room)}/${command}`);
  }
}

const at = (room: string): string => `/rooms/${room}/outgoing-hooks`;
const slash = (room: string): string => (room ? `/rooms/${room}/slash-commands` : '/admin/slash-commands');
