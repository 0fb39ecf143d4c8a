// The messages that the user saved. Which ones of a room are known is asked for when somebody looks at the room, and
// anew after each connection: what changed meanwhile is not told.

import { SvelteMap } from 'svelte/reactivity';
import type { Frame } from '../net/connection';
import type { Api } from '../net/api';
import type { PageOf } from '../view/port';
import type { Saved, SavedMessages } from '../view/savedport';
import type { Event, Me } from '../view/types';

interface Changed {
  room: string;
  seq: number;
  saved: boolean;
}

export class OwnSaved implements SavedMessages {
  readonly #api: Pick<Api<Me>, 'call'>;
  /** by room; undefined: asked for, and not answered yet */
  #rooms = new SvelteMap<string, ReadonlySet<number> | undefined>();
  /** what was told while the answer about a room was on its way */
  #told = new Map<string, Changed[]>();
  #news = $state(0);

  constructor(api: Pick<Api<Me>, 'call'>) {
    this.#api = api;
  }

  get news(): number {
    return this.#news;
  }

  has(room: string, seq: number): boolean | undefined {
    return this.#rooms.get(room)?.has(seq);
  }

  look(room: string): void {
    if (this.#rooms.get(room) || this.#told.has(room)) return;
    void this.#load(room);
  }

  async #load(room: string): Promise<void> {
    const told: Changed[] = [];
    this.#told.set(room, told); // of two questions the last one counts
    try {
      const { items } = await this.#api.call<{ items: number[] }>('GET', `/me/saved/${room}`);
      if (this.#told.get(room) !== told) return;
      this.#rooms.set(room, new Set(items));
    } catch {
      // the next look, or connection, asks again
    }
    if (this.#told.get(room) !== told) return;
    this.#told.delete(room);
    for (const c of told) this.#change(c);
  }

  async set(room: string, seq: number, saved: boolean): Promise<void> {
    await this.#api.call(saved ? 'PUT' : 'DELETE', `/me/saved/${room}/${seq}`);
    this.#change({ room, seq, saved });
  }

  page(cursor: string): Promise<PageOf<Saved>> {
    return this.#api.call('GET', `/me/saved?${new URLSearchParams({ cursor })}`);
  }

  #change(c: Changed): void {
    this.#told.get(c.room)?.push(c);
    const before = this.#rooms.get(c.room);
    if (before) {
      const now = new Set(before);
      if (c.saved) now.add(c.seq);
      else now.delete(c.seq);
      this.#rooms.set(c.room, now);
    }
    this.#news++;
  }

  /** A new connection. */
  hello(): void {
    for (const room of new Set([...this.#rooms.keys(), ...this.#told.keys()])) void this.#load(room);
    this.#news++;
  }

  take(f: Frame): void {
    if (f.type === 'saved') return this.#change(f.data as Changed);
    if (f.type === 'room.left') {
      this.#rooms.delete((f.data as { room: string }).room);
      this.#news++;
    }
    const e = f.data as Event;
    const changes = f.type === 'event' && (e.type === 'message.edited' || e.type === 'message.deleted');
    if (changes && e.message && this.has(e.room, e.message.seq) !== false) this.#news++;
  }
}
