// Read marks on their way: one at a time for each room, and then the latest.

const apart = 250; // milliseconds from an answer to the next mark of the same room

interface Running {
  want: number;
  sending?: Promise<void>;
}

export class Marks {
  readonly #send: (room: string, seq: number) => Promise<void>;
  #running = new Map<string, Running>();

  constructor(send: (room: string, seq: number) => Promise<void>) {
    this.#send = send;
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
    } catch {
      // The next message, or the next look at the room, marks it again.
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
