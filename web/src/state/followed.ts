// Which threads the user follows, as far as that is known here, and when the server is asked how many of them are
// unread. Nothing is counted here: so a count that is wrong for a moment is right with the next answer.

import type { Message } from '../view/types';

const apart = 300; // milliseconds in which all that happens in a room is one question

/** How the user stands to a thread. */
export interface Standing {
  following: boolean;
  /** number of the last reply that they have read */
  read: number;
}

export interface Source {
  /** how the user stands to the thread of a message */
  standing(room: string, root: number): Promise<Standing>;
  /** takes how much is unread in a room */
  count(room: string): Promise<void>;
}

const keyOf = (room: string, root: number): string => `${room}/${root}`;

export class Followed {
  readonly #server: Source;
  #known = new Map<string, Standing>();
  #asked = new Map<string, Promise<Standing>>();
  /** rooms about which the server is asked, and whether it must be asked once more */
  #counting = new Map<string, boolean>();

  constructor(server: Source) {
    this.#server = server;
  }

  /** Forgets everything: what was told on an earlier connection may not be true any more. */
  clear(): void {
    this.#known.clear();
    this.#asked.clear();
  }

  /** The server tells how the user stands to a thread. */
  take(t: Standing & { room: string; root: number }): void {
    this.#known.set(keyOf(t.room, t.root), t);
    void this.ask(t.room);
  }

  /** Whether the user has read a reply. */
  hasRead(m: Message): boolean {
    return (this.#known.get(keyOf(m.room, m.thread ?? 0))?.read ?? 0) >= m.seq;
  }

  /** Something happened to somebody else's reply. True if the user follows its thread, or is named. */
  async concerns(m: Message, named: boolean): Promise<boolean> {
    const mine = named || (await this.#standing(m.room, m.thread ?? 0)).following;
    if (mine) void this.ask(m.room);
    return mine;
  }

  async #standing(room: string, root: number): Promise<Standing> {
    const key = keyOf(room, root);
    const known = this.#known.get(key);
    if (known) return known;
    const asked = this.#asked.get(key) ?? this.#server.standing(room, root);
    this.#asked.set(key, asked);
    try {
      const now = await asked;
      // What was told meanwhile is newer.
      if (this.#asked.get(key) === asked && !this.#known.has(key)) this.#known.set(key, now);
      return this.#known.get(key) ?? now;
    } catch {
      return { following: false, read: 0 }; // the next reply asks again, and the next connection counts
    } finally {
      if (this.#asked.get(key) === asked) this.#asked.delete(key);
    }
  }

  /** Asks how much is unread in a room: a moment later, and again if something happens while the answer is made. */
  async ask(room: string): Promise<void> {
    const running = this.#counting.has(room);
    this.#counting.set(room, true);
    if (running) return;
    try {
      while (this.#counting.get(room)) {
        await new Promise((done) => setTimeout(done, apart));
        this.#counting.set(room, false);
        await this.#server.count(room);
      }
    } catch {
      // The next connection brings the counts.
    } finally {
      this.#counting.delete(room);
    }
  }
}
