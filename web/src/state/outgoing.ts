// The outgoing webhooks of rooms, by REST.

import type { Api } from '../net/api';
import type { OutgoingApi, PageOf } from '../view/port';
import type { HookDelivery, Me, OutgoingHook } from '../view/types';

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
}

const at = (room: string): string => `/rooms/${room}/outgoing-hooks`;
