// Drafts follow their author: what somebody writes here is kept on the server, and what they wrote elsewhere comes
// here. Which version of a draft the server has is remembered beside the drafts, for all tabs of this browser.

import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Store } from '../platform/storage.svelte';
import type { Me } from '../view/types';
import { draftKeys, draftsKey } from './unsent';

/** what the server has of a draft */
interface Draft {
  room: string;
  thread?: number;
  /** absent: there is none any more */
  text?: string;
  version: number;
}

/** Of a draft: the version of the server that it goes back to, and whether it was changed here since. */
interface Known {
  v: number;
  dirty?: boolean;
}

interface Around {
  api: Pick<Api<Me>, 'call'>;
  me: string;
  store: Store;
  /** shows the draft of a place where one writes */
  show(place: string, text: string): void;
  /** whether somebody is in the field that has this text */
  isWriting(text: string): boolean;
}

const wait = 3_000; // while somebody writes, the server is told as often at most
const placeOf = (d: Draft): string => d.room + (d.thread ? `/${d.thread}` : '');

export class Drafts {
  readonly #a: Around;
  /** places in which somebody has written since the page was opened */
  #written = new Set<string>();
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** what came from elsewhere while somebody was writing there */
  #held = new Map<string, Draft>();
  #last: Promise<void> = Promise.resolve();

  constructor(a: Around) {
    this.#a = a;
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** how many drafts the server has as they are here */
  get kept(): number {
    return Object.entries(this.#known()).filter(([place, k]) => !k.dirty && this.#text(place)).length;
  }

  /** The draft of a place was changed here. */
  wrote(place: string): void {
    this.#written.add(place);
    this.#held.delete(place);
    const known = this.#known()[place];
    if (!known?.dirty) this.#note(place, { v: known?.v ?? 0, dirty: true });
    this.#later(place, this.#text(place) ? wait : 0); // what was sent goes everywhere at once
  }

  take(f: Frame): void {
    if (f.type === 'draft') this.#took(f.data as Draft);
  }

  /** A new connection: what was written here and there meanwhile is brought together. */
  async hello(): Promise<void> {
    let items: Draft[];
    const before = this.#known();
    try {
      ({ items } = await this.#drafts());
    } catch {
      return; // the next connection asks again
    }
    const theirs = new Map(items.map((d) => [placeOf(d), d]));
    const keys = this.#a.store.keys(draftKeys(this.#a.me));
    const here = keys.map((key) => key.slice(draftKeys(this.#a.me).length));
    const known = this.#known();
    for (const place of new Set([...here, ...Object.keys(known), ...theirs.keys()])) {
      if (known[place]?.v !== before[place]?.v) continue; // a newer version came meanwhile
      const draft = theirs.get(place) ?? { room: '', version: 0 };
      if (known[place]?.dirty || (!known[place] && this.#text(place))) this.#meet(place, draft);
      else this.#apply(place, draft);
    }
  }

  #drafts(): Promise<{ items: Draft[] }> {
    return this.#a.api.call('GET', '/me/drafts');
  }

  #took(d: Draft): void {
    const place = placeOf(d);
    const known = this.#known()[place];
    if (known?.dirty || d.version <= (known?.v ?? 0)) return; // what is written here comes later, or it is known
    this.#apply(place, d);
  }

  /** A draft was changed here, and may have been elsewhere. */
  #meet(place: string, theirs: Draft): void {
    const mine = this.#text(place);
    const known = this.#known()[place]?.v ?? 0;
    const text = theirs.text ?? '';
    // Nobody else has written, or somebody is writing on here: this is the later one.
    if (theirs.version <= known || this.#written.has(place)) {
      this.#note(place, { v: Math.max(known, theirs.version), dirty: true });
      return this.#later(place, 0);
    }
    // Both were written while this browser was away. Neither is lost.
    if (text.includes(mine)) return this.#apply(place, theirs);
    const both = !text || mine.includes(text) ? mine : `${text}\n${mine}`;
    this.#put(place, both, { v: theirs.version, dirty: true });
    this.#later(place, 0);
  }

  /** Takes the server's draft of a place, unless somebody is just writing there. */
  #apply(place: string, d: Draft): void {
    const text = d.text ?? '';
    const here = this.#text(place);
    if (here.trimEnd() === text) return this.#note(place, text ? { v: d.version } : undefined);
    if (here && this.#a.isWriting(here)) return void this.#held.set(place, d);
    this.#put(place, text, text ? { v: d.version } : undefined);
  }

  /** Somebody has left the field in which they wrote. */
  release(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const [place, d] of held) this.#apply(place, d);
  }

  #put(place: string, text: string, known: Known | undefined): void {
    const key = draftKeys(this.#a.me) + place;
    if (text) this.#a.store.set(key, text);
    else this.#a.store.remove(key);
    this.#note(place, known);
    this.#a.show(place, text);
  }

  #text(place: string): string {
    return this.#a.store.get(draftKeys(this.#a.me) + place) ?? '';
  }

  #known(): Record<string, Known> {
    try {
      return JSON.parse(this.#a.store.get(draftsKey(this.#a.me)) ?? '{}') as Record<string, Known>;
    } catch {
      return {};
    }
  }

  #note(place: string, known: Known | undefined): void {
    const { [place]: _, ...rest } = this.#known();
    this.#a.store.set(draftsKey(this.#a.me), JSON.stringify(known ? { ...rest, [place]: known } : rest));
  }

  #later(place: string, ms: number): void {
    if (ms && this.#timers.has(place)) return;
    clearTimeout(this.#timers.get(place));
    this.#timers.set(
      place,
      setTimeout(() => this.#now(place), ms),
    );
  }

  /** Tells the server what it does not know yet: the page may be left. */
  flush(): void {
    for (const place of [...this.#timers.keys()]) this.#now(place);
  }

  /** Tells the server, one draft after another. */
  #now(place: string): void {
    clearTimeout(this.#timers.get(place));
    this.#timers.delete(place);
    this.#last = this.#last.then(() => this.#send(place));
  }

  async #send(place: string): Promise<void> {
    const known = this.#known()[place];
    if (!known?.dirty) return;
    const text = this.#text(place);
    if (!text && !known.v) return this.#note(place, undefined); // the server has never had it
    const [room, root] = place.split('/');
    try {
      const body = { text, ...(root && { thread: Number(root) }), ...(known.v && { over: known.v }) };
      const { version } = await this.#a.api.call<Draft>('PUT', `/me/drafts/${room}`, body);
      const on = this.#text(place) !== text; // somebody has written on meanwhile
      this.#note(place, text || on ? { v: version, ...(on && { dirty: true }) } : undefined);
    } catch (err) {
      await this.#refused(place, err as { code?: string; retryAfter?: number });
    }
  }

  /** What cannot be kept now stays here, and is tried again with the next change or connection. */
  async #refused(place: string, why: { code?: string; retryAfter?: number }): Promise<void> {
    if (why.code === 'draft_changed') {
      try {
        const { items } = await this.#drafts();
        this.#meet(place, items.find((d) => placeOf(d) === place) ?? { room: '', version: 0 });
      } catch {
        // as with any other failure
      }
    } else if (why.retryAfter) this.#later(place, why.retryAfter * 1000);
  }
}
