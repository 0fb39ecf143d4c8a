// The user's own devices and their keys.

import type { Api } from '../net/api';
import type * as port from '../view/port';
import type { Me } from '../view/types';

const path = (id: string) => `/devices/${encodeURIComponent(id)}`;

export class Devices implements port.Devices {
  readonly #api: Api<Me>;

  constructor(api: Api<Me>) {
    this.#api = api;
  }

  async list(): Promise<port.Device[]> {
    const all: port.Device[] = [];
    for (let cursor = ''; ;) {
      const page = await this.#api.call<port.PageOf<port.Device>>(
        'GET',
        `/devices?${new URLSearchParams({ cursor, limit: '200' })}`,
      );
      all.push(...(page.items ?? []));
      if (!page.next) return all.reverse(); // the newest first
      cursor = page.next;
    }
  }

  register(name: string, expires: string): Promise<port.IssuedKey> {
    return this.#api.call('POST', '/devices', { name, ...(expires && { expires }) });
  }

  async rename(id: string, name: string): Promise<void> {
    await this.#api.call('PATCH', path(id), { name });
  }

  rotate(id: string, oldUntil: string): Promise<port.IssuedKey> {
    return this.#api.call('POST', `${path(id)}/keys`, { ...(oldUntil && { old_until: oldUntil }) });
  }

  revokeKey(id: string, key: string): Promise<void> {
    return this.#api.call('DELETE', `${path(id)}/keys/${encodeURIComponent(key)}`);
  }

  revoke(id: string): Promise<void> {
    return this.#api.call('DELETE', path(id));
  }
}
