// The user, and who is there of the others.

import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import type * as port from '../view/port';
import type { Me, Profile } from '../view/types';

type Presence = port.Seen & { user: string };

const most = 500; // people whose presence the server follows for one connection

const longestWait = 86_400_000; // milliseconds; timers of more than 24 days fire at once

/** The account with a status that still holds: what has ended is nobody's to see, oneself included. */
function withoutEnded(me: Me, now: number): Me {
  const { mode, expires } = me.status;
  return expires && Date.parse(expires) <= now ? { ...me, status: { ...(mode && { mode }) } } : me;
}

export class People implements port.People {
  readonly #request: <T>(type: string, data: unknown) => Promise<T>;
  #me: Me = $state.raw() as Me;
  #presences = new SvelteMap<string, port.Seen>();
  #blocked = new SvelteSet<string>();
  #watched: string[] = [];
  #renames = $state(0);
  #ending: ReturnType<typeof setTimeout> | undefined;
  readonly #waking = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(me: Me, request: <T>(type: string, data: unknown) => Promise<T>) {
    this.me = me;
    this.#request = request;
  }

  get renames(): number {
    return this.#renames;
  }
  get me(): Me {
    return this.#me;
  }
  set me(me: Me) {
    this.#me = withoutEnded(me, Date.now());
    clearTimeout(this.#ending);
    const ends = this.#me.status.expires;
    if (ends)
      this.#ending = setTimeout(() => (this.me = this.#me), Math.min(Date.parse(ends) - Date.now(), longestWait));
  }
  close(): void {
    clearTimeout(this.#ending);
    for (const timer of this.#waking.values()) clearTimeout(timer);
  }

  presence(user: string): port.Seen | undefined {
    return this.#presences.get(user);
  }

  blocked(user: string): boolean {
    return this.#blocked.has(user);
  }

  /** Takes whom the user has blocked: all of them. */
  blocks(users: readonly string[]): void {
    for (const u of [...this.#blocked]) if (!users.includes(u)) this.#blocked.delete(u);
    for (const u of users) this.#blocked.add(u);
  }

  /** The user has blocked somebody, or not any longer. */
  block(user: string, blocked: boolean): void {
    if (blocked) this.#blocked.add(user);
    else this.#blocked.delete(user);
  }

  watch(users: readonly string[]): void {
    const next = [...new Set(users)].sort().slice(0, most);
    if (next.join() === this.#watched.join()) return;
    this.#watched = next;
    this.#ask();
  }

  /** Asks again, on a new connection. */
  rewatch(): void {
    if (this.#watched.length) this.#ask();
  }

  seen(users: readonly Presence[]): void {
    for (const p of users) {
      this.#presences.set(p.user, p);
      this.#awaitBack(p);
    }
  }

  /** A device that does not come back when it wanted to be is offline. */
  #awaitBack(p: Presence): void {
    clearTimeout(this.#waking.get(p.user));
    this.#waking.delete(p.user);
    if (!p.until) return;
    const left = Date.parse(p.until) - Date.now();
    const then = () => (left > longestWait ? this.#awaitBack(p) : this.seen([{ user: p.user, is: 'offline' }]));
    this.#waking.set(p.user, setTimeout(then, Math.min(left, longestWait)));
  }

  /** Somebody has changed what they are called. */
  renamed(u: Profile | Me): void {
    this.#renames++;
    if (u.id === this.#me.id && 'status' in u) this.me = u;
  }

  #ask(): void {
    this.#request<{ users: Presence[] }>('presence.watch', { users: this.#watched })
      .then((got) => this.seen(got.users))
      .catch(() => {}); // repeated at the next hello
  }
}
