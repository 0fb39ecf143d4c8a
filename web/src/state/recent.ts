// Answers that were asked for lately, so that what scrolls away and comes back is there at once.

const most = 60;
const fresh = 15_000; // milliseconds, of answers that may change

interface Entry<T> {
  until: number;
  answer: Promise<T>;
}

export class Recent<T> {
  readonly #known = new Map<string, Entry<T>>();

  /** The answer to a key: the one that there is, or else of ask. One that stays the same is kept as long as there is
   * room, any other for some seconds. A failure is not kept. */
  get(key: string, stays: boolean, ask: () => Promise<T>): Promise<T> {
    const known = this.#known.get(key);
    if (known && known.until > Date.now()) return known.answer;
    const entry = { until: stays ? Infinity : Date.now() + fresh, answer: ask() };
    entry.answer.catch(() => this.#known.get(key) === entry && this.#known.delete(key));
    this.#known.delete(key);
    this.#known.set(key, entry);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= most) break;
      this.#known.delete(oldest);
    }
    return entry.answer;
  }
}
