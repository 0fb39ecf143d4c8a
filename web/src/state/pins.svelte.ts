// The pinned messages of a room. They hear of events by it, and are asked for anew with each that may change them.

import type { Pins } from '../view/pinport';
import type { Event, Pin, User } from '../view/types';
import type { Around } from './room.svelte';

export class RoomPins implements Pins {
  readonly #room: string;
  readonly #a: Pick<Around, 'api' | 'words'>;
  #items: readonly Pin[] = $state.raw([]);
  #phase: 'loading' | 'ready' | 'failed' = $state('loading');
  #error = $state('');
  #known = $state(false);
  #asked = 0;

  constructor(room: string, a: Pick<Around, 'api' | 'words'>) {
    [this.#room, this.#a] = [room, a];
    void this.load();
  }

  get items(): readonly Pin[] {
    return this.#items;
  }
  get phase() {
    return this.#phase;
  }
  get error() {
    return this.#error;
  }

  has(seq: number): boolean | undefined {
    return this.#known ? this.#items.some((p) => p.message.seq === seq) : undefined;
  }

  /** Of answers that are on their way the last one counts. */
  async load(): Promise<void> {
    const mine = ++this.#asked;
    if (this.#phase === 'failed') this.#phase = 'loading';
    try {
      const { items } = await this.#a.api.call<{ items: Pin[] }>('GET', `/rooms/${this.#room}/pins`);
      if (mine !== this.#asked) return;
      this.#items = items;
      this.#known = true;
      this.#phase = 'ready';
    } catch (err) {
      if (mine !== this.#asked) return;
      this.#error = this.#a.words(err);
      this.#phase = 'failed';
    }
  }

  async set(seq: number, pinned: boolean): Promise<void> {
    await this.#a.api.call(pinned ? 'PUT' : 'DELETE', `/rooms/${this.#room}/messages/${seq}/pin`);
    await this.load();
  }

  /** Takes events of the log. One that comes while an answer is on its way may not be in that. */
  apply(events: readonly Event[]): void {
    const changes = (e: Event) =>
      e.type === 'message.pinned' ||
      e.type === 'message.unpinned' ||
      ((e.type === 'message.edited' || e.type === 'message.deleted') && this.has(e.message?.seq ?? 0) !== false);
    if (events.some(changes)) void this.load();
  }

  /** All up to a number is no longer kept. */
  forget(floor: number): void {
    if (this.#items.some((p) => p.message.seq <= floor)) void this.load();
  }

  /** Somebody has a new name or picture. */
  renamed(u: User): void {
    if (this.#items.some((p) => p.by.id === u.id || p.message.sender.id === u.id)) void this.load();
  }
}
