// News that are dealt with together, once for each frame of the screen: the page is
// laid out once for all of them.

const hidden = 250; // a page that nobody sees has no frames

export class Batch<T> {
  readonly #take: (all: readonly T[]) => void;
  #waiting: T[] = [];
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(take: (all: readonly T[]) => void) {
    this.#take = take;
  }

  add(one: T): void {
    this.#waiting.push(one);
    if (this.#waiting.length > 1) return;
    // Whichever is first: frames stop while the page is hidden.
    this.#timer = setTimeout(() => this.flush(), hidden);
    this.#frame = requestAnimationFrame(() => this.flush());
  }

  /** Takes what waits, now and in its order. */
  flush(): void {
    const all = this.#waiting;
    this.stop();
    if (all.length) this.#take(all);
  }

  /** Drops what waits. */
  stop(): void {
    this.#waiting = [];
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
  }
}
