// Holes in the logs of rooms: an event came whose predecessors did not.

export interface Logs {
  /** the last event that was taken of a room */
  head(room: string): number | undefined;
  /** takes what came after an event */
  read(room: string, after: number): Promise<void>;
}

export class Gaps {
  readonly #logs: Logs;
  #wanted = new Map<string, number>();

  constructor(logs: Logs) {
    this.#logs = logs;
  }

  /** Reads a room at least as far as the event upTo, which may come while an answer without it is on its way. */
  async fill(room: string, upTo: number): Promise<void> {
    const running = this.#wanted.has(room);
    this.#wanted.set(room, Math.max(upTo, this.#wanted.get(room) ?? 0));
    if (running) return;
    try {
      for (;;) {
        const head = this.#logs.head(room);
        if (head === undefined || head >= (this.#wanted.get(room) ?? 0)) return;
        await this.#logs.read(room, head);
        if (this.#logs.head(room) === head) return; // nothing there: the next event or connection asks again
      }
    } catch {
      // The next connection asks again.
    } finally {
      this.#wanted.delete(room);
    }
  }
}
