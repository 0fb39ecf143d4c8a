// The messages that links in others lead to. They are asked for when somebody looks at a link, and stay as they are in
// the room: an edit changes them, and of what is deleted nothing is left.

import { SvelteMap } from 'svelte/reactivity';
import type { Frame } from '../net/connection';
import type { Api } from '../net/api';
import type { LinkedMessages } from '../view/linkedport';
import type { Event, Me, Message } from '../view/types';

const most = 200; // that are kept
const keyOf = (room: string, seq: number) => `${room}/${seq}`;

export class OwnLinked implements LinkedMessages {
  readonly #api: Pick<Api<Me>, 'call'>;
  #known = new SvelteMap<string, Message | null>();
  /** those that this connection keeps up to date */
  #fresh = new Set<string>();
  #connections = $state(0);
  /** the last question about each message, until its answer */
  #asked = new Map<string, object>();

  constructor(api: Pick<Api<Me>, 'call'>) {
    this.#api = api;
  }

  of(room: string, seq: number): Message | null | undefined {
    return this.#known.get(keyOf(room, seq));
  }

  look(room: string, seq: number): void {
    void this.#connections; // whoever looks does so again with each
    const key = keyOf(room, seq);
    if (!this.#fresh.has(key) && !this.#asked.has(key)) void this.#load(key, room, seq);
  }

  async #load(key: string, room: string, seq: number): Promise<void> {
    const question = {};
    this.#asked.set(key, question);
    let found: Message | null;
    try {
      found = await this.#api.call<Message>('GET', `/rooms/${room}/messages/${seq}`);
    } catch {
      found = null; // the next connection asks again
    }
    if (this.#asked.get(key) === question) this.#keep(key, found); // else what was told meanwhile is newer
  }

  #keep(key: string, m: Message | null): void {
    this.#asked.delete(key);
    this.#fresh.add(key);
    this.#known.set(key, m);
    const oldest = this.#known.size > most ? this.#known.keys().next().value : undefined;
    if (oldest) this.#drop(oldest);
  }

  #drop(key: string): void {
    this.#known.delete(key);
    this.#fresh.delete(key);
    this.#asked.delete(key);
  }

  /** A new connection: what changed meanwhile was not told. */
  hello(): void {
    this.#fresh.clear();
    this.#asked.clear();
    this.#connections++;
  }

  take(f: Frame): void {
    if (f.type === 'room.left') {
      const { room } = f.data as { room: string };
      for (const key of [...this.#known.keys(), ...this.#asked.keys()]) if (key.startsWith(`${room}/`)) this.#drop(key);
    }
    const e = f.data as Event;
    if (f.type !== 'event' || !e.message || (e.type !== 'message.edited' && e.type !== 'message.deleted')) return;
    const key = keyOf(e.room, e.message.seq);
    if (this.#known.has(key) || this.#asked.has(key)) this.#keep(key, e.message);
  }
}
