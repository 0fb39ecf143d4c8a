import { reasonOf } from './failure';
import { listed } from './listed';
import type { PageOf } from './port';

/** A list that comes page by page. The latest question counts; answers to earlier ones are dropped. */
export class Pages<T extends { id: string }> {
  items: T[] = $state.raw([]);
  error = $state('');
  busy = $state(true);
  #next: string | undefined = $state();
  #asked = 0;
  readonly #load: (cursor: string) => Promise<PageOf<T>>;

  constructor(load: (cursor: string) => Promise<PageOf<T>>) {
    this.#load = load;
  }

  get hasMore(): boolean {
    return this.#next !== undefined;
  }

  /** Begins anew. What is there stays until the answer comes. */
  fresh(): Promise<void> {
    return this.#ask('');
  }

  more(): Promise<void> {
    return this.#next === undefined ? Promise.resolve() : this.#ask(this.#next);
  }

  async #ask(cursor: string): Promise<void> {
    const mine = ++this.#asked;
    this.busy = true;
    this.error = '';
    try {
      const page = await this.#load(cursor);
      if (mine !== this.#asked) return;
      this.items = cursor ? listed(this.items, page.items, (one) => one.id) : page.items;
      this.#next = page.next || undefined;
    } catch (err) {
      if (mine === this.#asked) this.error = reasonOf(err);
    } finally {
      if (mine === this.#asked) this.busy = false;
    }
  }
}
