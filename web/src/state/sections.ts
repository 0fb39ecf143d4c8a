// The sections of the list of rooms, which the server keeps as one document with a version. A change is shown at once
// and sent after those before it. If another device was faster, it is made anew on what that one has arranged.

import { Refusal, type Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Store } from '../platform/storage.svelte';
import type { Arranged, Sections } from '../view/sectionport';
import type { Me } from '../view/types';
import { arrangedKey, readArranged } from './arranged';

interface Change {
  by: (now: Arranged) => Arranged;
  done: () => void;
  failed: (why: unknown) => void;
}

interface Around {
  api: Pick<Api<Me>, 'call'>;
  me: string;
  store: Store;
  show(now: Arranged): void;
}

const tries = 4; // of a change that other devices come before

export class OwnSections implements Sections {
  readonly #a: Around;
  /** as the server has it, as far as is known */
  #kept: Arranged;
  #changes: Change[] = [];
  #loaded: Promise<void> | undefined;
  #sending = false;

  constructor(a: Around) {
    this.#a = a;
    this.#kept = readArranged(a.store, a.me);
  }

  /** A new connection: what changed meanwhile is not told. */
  hello(): void {
    this.#loaded = undefined;
    this.#load().catch(() => {}); // the next change, or connection, asks again
  }

  take(f: Frame): void {
    if (f.type === 'sections') this.#keep(f.data as Arranged);
  }

  change(by: (now: Arranged) => Arranged): Promise<void> {
    const change = new Promise<void>((done, failed) => this.#changes.push({ by, done, failed }));
    this.#show();
    if (!this.#sending) void this.#send();
    return change;
  }

  #load(): Promise<void> {
    if (this.#loaded) return this.#loaded;
    const { version } = this.#kept;
    const loaded = this.#a.api.call<Arranged>('GET', '/me/sections').then((a) => {
      if (this.#kept.version === version) this.#set(a); // also an older one, of a server from a backup
      else this.#keep(a);
    });
    loaded.catch(() => {
      if (this.#loaded === loaded) this.#loaded = undefined;
    });
    return (this.#loaded = loaded);
  }

  #keep(a: Arranged): void {
    if (a.version > this.#kept.version) this.#set(a);
  }

  #set(a: Arranged): void {
    this.#kept = a;
    this.#a.store.set(arrangedKey(this.#a.me), JSON.stringify(a));
    this.#show();
  }

  #show(): void {
    this.#a.show(this.#changes.reduce((a, c) => c.by(a), this.#kept));
  }

  async #send(): Promise<void> {
    this.#sending = true;
    while (this.#changes.length) {
      const now = [...this.#changes];
      let why: unknown;
      let failed = false;
      try {
        await this.#put(now);
      } catch (err) {
        [why, failed] = [err, true];
      }
      this.#changes = this.#changes.slice(now.length);
      for (const c of now) {
        if (failed) c.failed(why);
        else c.done();
      }
    }
    this.#sending = false;
    this.#show();
  }

  async #put(changes: readonly Change[]): Promise<void> {
    await this.#load();
    for (let n = 1; ; n++) {
      const { version: over, favourites, sections } = changes.reduce((a, c) => c.by(a), this.#kept);
      try {
        return this.#keep(await this.#a.api.call<Arranged>('PUT', '/me/sections', { favourites, sections, over }));
      } catch (err) {
        if (!(err instanceof Refusal) || err.code !== 'sections_changed' || n === tries) throw err;
        this.#loaded = undefined;
        await this.#load();
      }
    }
  }
}
