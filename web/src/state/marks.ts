// Read marks on their way: one at a time for each room, and then the latest. Those that found no way to the server are
// kept until there is one.

import { Lost } from '../net/connection';
import type { Store } from '../platform/storage.svelte';

const apart = 250; // milliseconds from an answer to the next mark of the same room

interface Running {
  want: number;
  sending?: Promise<void>;
}

export class Marks {
  readonly #send: (room: string, seq: number) => Promise<void>;
  readonly #store: Store;
  readonly #key: string;
  #running = new Map<string, Running>();

  /** key: where the marks that could not be sent are kept */
  constructor(send: (room: string, seq: number) => Promise<void>, store: Store, key: string) {
    this.#send = send;
    this.#store = store;
    this.#key = key;
  }

  /** What was read while there was no way to the server. */
  get unsent(): Record<string, number> {
    try {
      return JSON.parse(this.#store.get(this.#key) ?? '{}') as Record<string, number>;
    } catch {
      return {};
    }
  }

  /** Keeps a mark until there is a way to the server. */
  keep(room: string, seq: number): void {
    const { unsent } = this;
    this.#store.set(this.#key, JSON.stringify({ ...unsent, [room]: Math.max(seq, unsent[room] ?? 0) }));
  }

  /** Takes the kept marks out, to be sent. */
  take(): Record<string, number> {
    const { unsent } = this;
    this.#store.remove(this.#key);
    return unsent;
  }

  /** Marks a room as read up to an event, now or once the mark before this one is done. */
  async mark(room: string, seq: number): Promise<void> {
    const before = this.#running.get(room);
    if (before) {
      before.want = Math.max(seq, before.want);
      return;
    }
    const r: Running = { want: seq };
    this.#running.set(room, r);
    try {
      for (let sent = 0; sent < r.want; ) {
        const want = r.want;
        r.sending = this.#send(room, want);
        await r.sending;
        sent = want;
        await new Promise((done) => setTimeout(done, apart));
      }
    } catch (err) {
      if (err instanceof Lost && r.want) this.keep(room, r.want);
      // Or else the next message, or the next look at the room, marks it again.
    } finally {
      if (this.#running.get(room) === r) this.#running.delete(room);
    }
  }

  /** Sends no mark of a room any more. When it returns, the one on its way has been answered. */
  async stop(room: string): Promise<void> {
    const r = this.#running.get(room);
    if (!r) return;
    this.#running.delete(room);
    r.want = 0;
    await r.sending?.catch(() => undefined);
  }
}
