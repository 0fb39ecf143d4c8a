// Addresses by which <img> and <video> get files: signed, and good for some hours. They are asked for together,
// and anew before they end while somebody looks at the file.

import type { FileLink } from '../view/filesport';

/** As the server answers: files that are gone are left out. */
export interface Answer {
  expires_at: string;
  links: Record<string, FileLink>;
}

type Take = (link: FileLink | null) => void;

const together = 20; // milliseconds in which files are asked for with one request
const most = 100;
const before = 10 * 60_000; // so long before it ends, a link is no longer given away
const again = 5_000;
const longest = 2 ** 31 - 1;

export class FileLinks {
  readonly #ask: (files: string[]) => Promise<Answer>;
  #known = new Map<string, { link: FileLink | null; ends: number }>();
  #watched = new Map<string, Set<Take>>();
  #asked = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #renewAt = Infinity; // milliseconds since 1970

  constructor(ask: (files: string[]) => Promise<Answer>) {
    this.#ask = ask;
  }

  /** The addresses of a file: null if it is gone, undefined if they are not known. */
  known(file: string): FileLink | null | undefined {
    const k = this.#known.get(file);
    return k && k.ends - before > Date.now() ? k.link : undefined;
  }

  /** Tells the addresses of a file, now or later and each time they change, until what it returns is called. */
  watch(file: string, take: Take): () => void {
    const all = this.#watched.get(file) ?? new Set();
    this.#watched.set(file, all.add(take));
    const known = this.known(file);
    if (known === undefined) this.#want(file, together);
    else take(known);
    return () => {
      all.delete(take);
      if (!all.size) this.#watched.delete(file);
    };
  }

  /** Asks once more for a file whose address did not work. */
  renew(file: string): Promise<FileLink | null> {
    this.#known.delete(file);
    return new Promise((done) => {
      const stop = this.watch(file, (link) => {
        done(link);
        queueMicrotask(stop);
      });
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#renewal);
    this.#watched.clear();
  }

  #want(file: string, wait: number): void {
    this.#asked.add(file);
    this.#timer ??= setTimeout(() => void this.#fetch(), wait);
  }

  async #fetch(): Promise<void> {
    this.#timer = undefined;
    const files = [...this.#asked].slice(0, most);
    for (const file of files) this.#asked.delete(file);
    if (this.#asked.size) this.#timer = setTimeout(() => void this.#fetch());
    try {
      const { expires_at, links } = await this.#ask(files);
      const ends = Date.parse(expires_at);
      for (const file of files) this.#came(file, links[file] ?? null, ends);
      this.#renewBefore(ends);
    } catch {
      for (const file of files) if (this.#watched.has(file)) this.#want(file, again);
    }
  }

  #came(file: string, link: FileLink | null, ends: number): void {
    this.#known.set(file, { link, ends });
    for (const take of this.#watched.get(file) ?? []) take(link);
  }

  /** Asks anew, shortly before the first of them end, for what is looked at then. */
  #renewBefore(ends: number): void {
    if (ends - before >= this.#renewAt) return;
    this.#renewAt = ends - before;
    clearTimeout(this.#renewal);
    const wait = Math.min(longest, Math.max(again, this.#renewAt - Date.now()));
    this.#renewal = setTimeout(() => this.#renew(), wait);
  }

  #renew(): void {
    this.#renewAt = Infinity;
    for (const file of this.#watched.keys()) {
      if (this.known(file) === undefined) this.#want(file, 0);
      else this.#renewBefore(this.#known.get(file)?.ends ?? Infinity);
    }
  }
}
