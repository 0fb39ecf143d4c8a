// Read marks on their way: one at a time for each room, and then the latest.

const apart = 250; // milliseconds from an answer to the next mark of the same room

export class Marks {
  readonly #send: (room: string, seq: number) => Promise<void>;
  #wanted = new Map<string, number>();

  constructor(send: (room: string, seq: number) => Promise<void>) {
    this.#send = send;
  }

  /** Marks a room as read up to an event, now or once the mark before this one is done. */
  async mark(room: string, seq: number): Promise<void> {
    const running = this.#wanted.has(room);
    this.#wanted.set(room, Math.max(seq, this.#wanted.get(room) ?? 0));
    if (running) return;
    try {
      for (let sent = 0, want = seq; sent < want; want = this.#wanted.get(room) ?? 0) {
        await this.#send(room, want);
        sent = want;
        await new Promise((done) => setTimeout(done, apart));
      }
    } catch {
      // The next message, or the next look at the room, marks it again.
    } finally {
      this.#wanted.delete(room);
    }
  }
}
