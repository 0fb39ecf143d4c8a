/** Tells which rows of a list are on the screen, a moment after they come or go. */
export class OnScreen {
  readonly #ids = new Map<Element, string>();
  readonly #there = new Set<string>();
  readonly #watcher: IntersectionObserver;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (ids: string[]) => void) {
    this.#watcher = new IntersectionObserver((entries) => {
      for (const e of entries) {
        const id = this.#ids.get(e.target);
        if (id === undefined) continue;
        if (e.isIntersecting) this.#there.add(id);
        else this.#there.delete(id);
      }
      clearTimeout(this.#soon);
      this.#soon = setTimeout(() => tell([...this.#there]), 100);
    });
  }

  /** An attachment for the row of one. */
  row(id: string) {
    return (node: Element): (() => void) => {
      this.#ids.set(node, id);
      this.#watcher.observe(node);
      return () => {
        this.#there.delete(id);
        this.#ids.delete(node);
        this.#watcher.unobserve(node);
      };
    };
  }

  close(): void {
    clearTimeout(this.#soon);
    this.#watcher.disconnect();
  }
}
