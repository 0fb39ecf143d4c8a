// The emoji of the server as they are shown in texts, by their names. They are asked for once one is written somewhere
// or looked for, and then kept as they are.

import type { EmojiChanged, EmojiList } from './emojiport';

const again = 60_000; // after a failure
const spread = 3_000; // within which clients ask again that were disconnected together

class ServerEmoji {
  #known: EmojiList = $state.raw({ items: [], may_add: false });
  readonly #pictures = $derived(new Map(this.#known.items.map((e) => [e.name, e.picture])));
  #ask: (() => Promise<EmojiList>) | undefined;
  #asked = -Infinity;
  #loading = false;
  #turn = 0;

  /** Where they are asked for; undefined: nobody is signed in. */
  from(ask: (() => Promise<EmojiList>) | undefined): void {
    this.#ask = ask;
    this.#asked = -Infinity;
    this.#turn++;
    this.#known = { items: [], may_add: false };
  }

  get all(): EmojiList {
    this.#need();
    return this.#known;
  }

  /** Where the picture of one is; undefined: there is no such emoji, or it is not known yet. */
  picture(name: string): string | undefined {
    this.#need();
    return this.#pictures.get(name);
  }

  /** Takes what the server tells. */
  take({ name, picture }: EmojiChanged): void {
    if (this.#asked === -Infinity) return;
    const rest = this.#known.items.filter((e) => e.name !== name);
    if (picture) rest.push({ name, picture, created_at: '' });
    this.#known = { ...this.#known, items: rest.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    if (this.#loading) void this.#load(); // what is on its way may be older
  }

  /** Asks again for what may have changed while nothing could be told. */
  reconnected(): void {
    if (this.#asked !== -Infinity) setTimeout(() => void this.#load(), Math.random() * spread);
  }

  #need(): void {
    if (this.#asked < Date.now() - again) void this.#load();
  }

  async #load(): Promise<void> {
    if (!this.#ask) return;
    const turn = ++this.#turn;
    this.#asked = Infinity;
    this.#loading = true;
    const list = await this.#ask().catch(() => undefined);
    if (turn !== this.#turn) return;
    this.#loading = false;
    if (list) this.#known = list;
    else this.#asked = Date.now();
  }
}

export const serverEmoji = new ServerEmoji();
