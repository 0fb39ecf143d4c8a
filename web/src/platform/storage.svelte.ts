// What this browser keeps for the page. A browser may refuse to keep anything, or
// have no space: then values live as long as the page, and that is said.

export interface Store {
  get(key: string): string | undefined;
  /** false: the value is kept only until the page is closed */
  set(key: string, value: string): boolean;
  remove(key: string): void;
  /** all keys that begin so */
  keys(prefix: string): string[];
  /** Tells what other tabs change; undefined: a value was removed. Returns how to stop. */
  follow(changed: (key: string, value: string | undefined) => void): () => void;
}

export class BrowserStore implements Store {
  #memory = new Map<string, string>(); // what the browser did not take
  #trouble: '' | 'blocked' | 'full' = $state('');

  /** why the last value was not kept */
  get trouble() {
    return this.#trouble;
  }

  get(key: string): string | undefined {
    return this.#memory.get(key) ?? this.#disk()?.getItem(key) ?? undefined;
  }

  set(key: string, value: string): boolean {
    const disk = this.#disk();
    try {
      if (!disk) throw new Error('blocked');
      disk.setItem(key, value);
      this.#memory.delete(key);
      this.#trouble = '';
      return true;
    } catch {
      disk?.removeItem(key); // an old value would come back instead
      this.#memory.set(key, value);
      this.#trouble = disk ? 'full' : 'blocked';
      return false;
    }
  }

  remove(key: string): void {
    this.#memory.delete(key);
    this.#disk()?.removeItem(key);
  }

  keys(prefix: string): string[] {
    const all = new Set([...this.#memory.keys(), ...Object.keys(this.#disk() ?? {})]);
    return [...all].filter((key) => key.startsWith(prefix));
  }

  follow(changed: (key: string, value: string | undefined) => void): () => void {
    const told = (e: StorageEvent) =>
      e.key !== null && e.storageArea === this.#disk() && changed(e.key, e.newValue ?? undefined);
    addEventListener('storage', told);
    return () => removeEventListener('storage', told);
  }

  #disk(): Storage | undefined {
    try {
      return localStorage;
    } catch {
      return undefined; // looking at it is enough to be refused
    }
  }
}

/** the storage of this browser */
export const storage = new BrowserStore();
