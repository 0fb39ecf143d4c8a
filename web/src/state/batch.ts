// News that are dealt with together: the page is laid out once for all of them.

const apart = 100; // milliseconds between two batches: what comes alone waits for a frame only
const hidden = 250; // a page that nobody sees has no frames

export class Batch<T> {
  readonly #take: (all: readonly T[]) => void;
  #waiting: T[] = [];
  #last = -Infinity;
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(take: (all: readonly T[]) => void) {
    this.#take = take;
  }

  add(one: T): void {
    this.#waiting.push(one);
    if (this.#waiting.length > 1) return;
    const wait = this.#last + apart - performance.now();
    if (wait <= 0) this.#next();
    else this.#timer = setTimeout(() => this.#next(), wait);
  }

  /** Takes what waits at the next frame, or soon if there is none. */
  #next(): void {
    this.#timer = setTimeout(() => this.flush(), hidden);
    this.#frame = requestAnimationFrame(() => this.flush());
  }

  /** Takes what waits, now and in its order. */
  flush(): void {
    const all = this.#waiting;
    this.stop();
    if (!all.length) return;
    this.#last = performance.now();
    this.#take(all);
  }

  /** Drops what waits. */
  stop(): void {
    this.#waiting = [];
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
  }
}
