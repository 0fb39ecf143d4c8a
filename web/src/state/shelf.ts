// The browser's database, as a shelf of texts. Each change is one transaction, over all tabs.

import type { Shelf } from './kept';

const name = 'unhidra';
const store = 'kept';
const owner = 'owner';
const order = 'order';

interface Owner {
  user: string;
  mark: string;
}

function open(): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => void asked.result.createObjectStore(store);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error ?? new Error('no database'));
  });
}

/** Does some work within a transaction; the work says what comes of it before the transaction ends. */
async function within<T>(
  mode: IDBTransactionMode,
  work: (texts: IDBObjectStore, done: (value: T) => void) => void,
): Promise<T | undefined> {
  const db = await open();
  try {
    return await new Promise<T | undefined>((done, failed) => {
      let value: T | undefined;
      const tx = db.transaction(store, mode);
      tx.oncomplete = () => done(value);
      tx.onabort = () => failed(tx.error ?? new Error('not kept'));
      work(tx.objectStore(store), (v) => (value = v));
    });
  } finally {
    db.close();
  }
}

/** Reads one value, and goes on with it in the same transaction. */
function read<T>(texts: IDBObjectStore, key: string, then: (value: T | undefined) => void): void {
  const asked = texts.get(key) as IDBRequest<T | undefined>;
  asked.onsuccess = () => then(asked.result);
}

export const browserShelf: Shelf = {
  async claim(user, mark) {
    const claimed = await within<string>('readwrite', (texts, done) =>
      read<Owner>(texts, owner, (now) => {
        if (now?.user === user) return done(now.mark);
        texts.clear();
        texts.put({ user, mark } satisfies Owner, owner);
        done(mark);
      }),
    );
    return claimed ?? mark;
  },

  get: (key) =>
    within<string>('readonly', (texts, done) => read<string>(texts, key, (text) => text !== undefined && done(text))),

  all: async (start) => {
    const found = new Map<string, string>();
    await within<void>('readonly', (texts) => {
      const asked = texts.openCursor(IDBKeyRange.bound(start, `${start}\uffff`));
      asked.onsuccess = () => {
        const at = asked.result;
        if (!at) return;
        found.set(String(at.key), at.value as string);
        at.continue();
      };
    });
    return found;
  },

  write: (mark, change) =>
    within<void>('readwrite', (texts) =>
      read<Owner>(texts, owner, (now) => {
        if (now?.mark !== mark) return;
        read<string[]>(texts, order, (had = []) => {
          const { texts: all, order: next } = change(had);
          texts.put(next, order);
          for (const [key, text] of all) {
            if (text === undefined) texts.delete(key);
            else texts.put(text, key);
          }
        });
      }),
    ),

  clear: (mark) =>
    within<void>('readwrite', (texts) =>
      read<Owner>(texts, owner, (now) => {
        if (mark === undefined || now?.mark === mark) texts.clear();
      }),
    ),
};
