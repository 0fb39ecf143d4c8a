// Storage for tests: tabs of one browser over one map.

import type { Store } from '../platform/storage.svelte';

type Changed = (key: string, value: string | undefined) => void;

export class MemoryBrowser {
  readonly disk = new Map<string, string>();
  #tabs: { tab: Store; changed: Changed }[] = [];
  /** nothing more is kept */
  full = false;

  tab(): Store {
    const tell = (from: Store, key: string, value: string | undefined) => {
      for (const other of this.#tabs) if (other.tab !== from) other.changed(key, value);
    };
    const tab: Store = {
      get: (key) => this.disk.get(key),
      set: (key, value) => {
        if (this.full) return false;
        this.disk.set(key, value);
        tell(tab, key, value);
        return true;
      },
      remove: (key) => {
        if (this.disk.delete(key)) tell(tab, key, undefined);
      },
      keys: (prefix) => [...this.disk.keys()].filter((key) => key.startsWith(prefix)),
      follow: (changed) => {
        const one = { tab, changed };
        this.#tabs.push(one);
        return () => (this.#tabs = this.#tabs.filter((t) => t !== one));
      },
    };
    return tab;
  }
}
