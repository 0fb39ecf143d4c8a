// User groups, by REST.

import type { Api } from '../net/api';
import type { Me } from '../view/types';
import type { UserGroup, UserGroupApi, UserGroupMembers } from '../view/usergroupport';

const enc = encodeURIComponent;
const kept = 60_000; // how long the list is known, in milliseconds

export class UserGroups implements UserGroupApi {
  readonly #api: Api<Me>;
  #known: { at: number; all: Promise<UserGroup[]> } | undefined;

  constructor(api: Api<Me>) {
    this.#api = api;
  }

  async begun(typed: string): Promise<UserGroup[]> {
    if (!this.#known || Date.now() - this.#known.at > kept) this.#known = { at: Date.now(), all: this.all() };
    const known = this.#known;
    const low = typed.toLocaleLowerCase();
    try {
      return (await known.all).filter(
        ({ handle, name }) =>
          handle.startsWith(low) || ` ${name.toLocaleLowerCase()}`.includes(` ${low}`),
      );
    } catch (err) {
      if (this.#known === known) this.#known = undefined;
      throw err;
    }
  }

  async all(): Promise<UserGroup[]> {
    return (await this.#api.call<{ items: UserGroup[] }>('GET', '/user-groups')).items;
  }
  one(which: string): Promise<UserGroupMembers> {
    return this.#api.call('GET', `/user-groups/${enc(which)}`);
  }
  create(handle: string, name: string): Promise<UserGroup> {
    return this.#change('POST', '', { handle, ...(name && { name }) });
  }
  change(id: string, handle: string, name: string): Promise<UserGroup> {
    return this.#change('PATCH', `/${enc(id)}`, { handle, name });
  }
  remove(id: string): Promise<void> {
    return this.#change('DELETE', `/${enc(id)}`);
  }
  addMember(id: string, user: string): Promise<void> {
    return this.#change('PUT', `/${enc(id)}/members/${enc(user)}`);
  }
  removeMember(id: string, user: string): Promise<void> {
    return this.#change('DELETE', `/${enc(id)}/members/${enc(user)}`);
  }

  async #change<T>(method: string, path: string, body?: unknown): Promise<T> {
    const done = await this.#api.call<T>(method, `/admin/user-groups${path}`, body);
    this.#known = undefined;
    return done;
  }
}
