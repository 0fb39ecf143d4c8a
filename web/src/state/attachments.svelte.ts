// The files of the message that somebody writes in a room: they are uploaded while one writes, and go with the
// message once they are there. An upload that a reload cut off goes on when the file is chosen again.

import { Refusal, Unreachable } from '../net/api';
import { patiently, sendParts } from '../net/parts';
import { passing, type Put } from '../net/put';
import { newKey } from '../platform/key';
import type { Store } from '../platform/storage.svelte';
import type { Attachment, Attachments, Facts, FileLimits } from '../view/filesport';
import type { FileView, Message } from '../view/types';
import type { Slots } from './slots';

export const most = 10; // files of a message
const partsAtOnce = 3;
const day = 86_400_000; // milliseconds
const headSize = 1 << 20; // bytes by which a file is known again
const hashed = 32 << 20; // the whole of a file is hashed up to this size: it is read into memory for that

/** A file as the server has it. */
interface Uploaded extends FileView {
  state: 'uploading' | 'ready' | 'gone';
  part_size: number;
  parts?: number[];
}

/** What this browser keeps of an upload. */
interface Kept {
  room: string;
  /** absent: the room itself */
  thread?: number;
  /** absent: it went in one request, whose answer is not known */
  id?: string;
  /** the key of that request */
  by?: string;
  at?: number;
  name: string;
  size: number;
  type: string;
  /** SHA-256 of its first bytes */
  head: string;
}

type Item = Attachment & {
  file?: File | undefined;
  facts?: Facts | undefined;
  view?: FileView | undefined;
  /** by which a file that goes in one request is added once, however often it is sent */
  by?: string | undefined;
};

/** What the attachments need of what is around them. */
export interface Around {
  room: string;
  /** number of the message in whose thread is written; 0: it is written in the room */
  thread: number;
  ask: <T>(method: string, path: string, body?: unknown) => Promise<T>;
  put: <T>(path: string, bytes: Blob, o: Put) => Promise<T>;
  /** bytes of a file that goes in one request */
  onePart: number;
  store: Store;
  /** how the keys begin under which uploads are kept */
  keys: string;
  slots: Slots;
  wait: (ms: number) => Promise<void>;
  hash: (part: Blob) => Promise<string>;
  facts: (file: File) => Promise<Facts>;
  /** takes over the picture of a file that has been sent */
  preview: (file: string, url: string) => void;
  send: (files: FileView[], reply?: Message) => void;
}

const pathOf = (id: string, more = '') => `/files/${encodeURIComponent(id)}${more}`;
const shown = /^image\/(jpeg|png|gif|webp|avif|bmp)$/;
const busy = ['waiting', 'sending', 'checking'];

export class RoomAttachments implements Attachments {
  readonly #a: Around;
  #items: readonly Item[] = $state.raw([]);
  #held: { reply?: Message | undefined } | undefined = $state.raw();
  #sends = $state(0);
  #next = 0;
  #stops = new Map<string, AbortController>();
  #locks = new Map<string, () => void>();

  constructor(a: Around) {
    this.#a = a;
    void this.#restore();
  }

  get items(): readonly Attachment[] {
    return this.#items;
  }
  get held() {
    return this.#held !== undefined;
  }
  get sends() {
    return this.#sends;
  }

  add(files: readonly File[], facts?: Facts): number {
    let left = 0;
    for (const file of files) {
      const known = this.#items.find((i) => i.state === 'again' && i.name === file.name && i.size === file.size);
      if (known) void this.again(known.key, file).then((same) => same || this.add([file], facts));
      else if (this.#items.length >= most) left++;
      else this.#begin(file, facts);
    }
    return left;
  }

  #begin(file: File, facts: Facts | undefined): void {
    const preview = shown.test(file.type) ? URL.createObjectURL(file) : undefined;
    const { name, size, type } = file;
    const key = `${this.#next++}`;
    this.#items = [...this.#items, { key, name, size, type, file, facts, preview, state: 'waiting', sent: 0 }];
    void this.#upload(key);
  }

  remove(key: string): void {
    const item = this.#find(key);
    if (!item) return;
    this.#stops.get(key)?.abort(new Error('removed'));
    this.#drop(item);
    if (item.preview) URL.revokeObjectURL(item.preview);
    // The server forgets it by itself if it is not told.
    if (item.id) this.#a.ask('DELETE', pathOf(item.id)).catch(() => {});
    this.#settle();
  }

  retry(key: string): void {
    const item = this.#find(key);
    if (item?.state === 'failed') void this.#upload(key);
  }

  async again(key: string, file: File): Promise<boolean> {
    const item = this.#find(key);
    const name = item && nameOf(item);
    const kept = name ? read(this.#a.store.get(this.#a.keys + name)) : undefined;
    if (!item || !kept || kept.size !== file.size) return false;
    if (kept.head !== (await this.#a.hash(file.slice(0, headSize)))) return false;
    const preview = shown.test(file.type) ? URL.createObjectURL(file) : undefined;
    this.#change(key, { file, preview });
    void this.#upload(key);
    return true;
  }

  send(reply?: Message): void {
    this.#held = { reply };
    this.#settle();
  }

  release(): void {
    this.#held = undefined;
  }

  adopt(files: readonly FileView[]): void {
    const items = files.map((view): Item => {
      const { id, name, size, type } = view;
      return { key: `${this.#next++}`, id, name, size, type, view, state: 'ready', sent: size };
    });
    this.#items = [...this.#items, ...items];
  }

  /** What failed for want of a connection goes on. */
  resume(): void {
    for (const i of this.#items) if (i.state === 'failed' && i.why instanceof Unreachable) void this.#upload(i.key);
  }

  /** Stops everything: what is held is not sent. */
  close(): void {
    this.#held = undefined;
    for (const stop of this.#stops.values()) stop.abort(new Error('closed'));
    for (const free of this.#locks.values()) free();
    for (const { preview } of this.#items) if (preview) URL.revokeObjectURL(preview);
  }

  async #upload(key: string): Promise<void> {
    const stop = new AbortController();
    this.#stops.set(key, stop);
    this.#change(key, { state: 'waiting', why: undefined, final: undefined });
    try {
      const view = await this.#transfer(key, stop.signal);
      this.#change(key, { state: 'ready', view, id: view.id, sent: view.size });
    } catch (err) {
      const final = err instanceof Refusal && ['file_too_large', 'invalid_request'].includes(err.code);
      this.#change(key, { state: 'failed', why: err, final, limits: await this.#limits(err) });
    }
    this.#settle();
  }

  /** What is allowed, if that is why a file was refused. */
  async #limits(err: unknown): Promise<FileLimits | undefined> {
    if (!(err instanceof Refusal) || !['file_too_large', 'quota_exceeded'].includes(err.code)) return undefined;
    return this.#a.ask<FileLimits>('GET', '/files?limit=1').catch(() => undefined);
  }

  async #transfer(key: string, signal: AbortSignal): Promise<FileView> {
    const item = this.#find(key);
    const file = item?.file;
    if (!file) throw new Error('there is no file');
    const wait = (ms: number) => until(this.#a.wait(ms), signal);
    const patient = <T>(work: () => Promise<T>) => patiently(work, { passing, wait });
    const facts = item.facts ?? (await this.#a.facts(file));
    const head = await this.#a.hash(file.slice(0, headSize));
    const { room, thread } = this.#a;
    const keep = (more: Partial<Kept>) =>
      this.#keep({ room, ...(thread && { thread }), name: file.name, size: file.size, type: file.type, head, ...more });
    if (!item.id && file.size > 0 && file.size <= this.#a.onePart) {
      const by = item.by ?? newKey();
      this.#change(key, { by, state: 'sending' });
      keep({ by, at: Date.now() });
      const whole = await patient(() => this.#whole(key, file, { facts, by, signal })).catch(unlessOlder);
      signal.throwIfAborted();
      this.#forget(by);
      this.#change(key, { id: whole?.id, by: undefined });
      if (whole) keep({ id: whole.id, name: whole.name });
      if (whole) return viewOf(whole);
    }
    const up = await patient(() => this.#there(item, file));
    signal.throwIfAborted();
    this.#change(key, { id: up.id, state: 'sending' });
    keep({ id: up.id, name: up.name });
    if (up.state === 'ready') return viewOf(up);
    await sendParts(file, {
      part: up.part_size,
      atOnce: partsAtOnce,
      have: up.parts ?? [],
      put: (n, part, left) =>
        this.#a.slots.run(() => this.#a.put(pathOf(up.id, `/parts/${n}`), part, { left, signal })),
      sent: (bytes) => this.#change(key, { sent: bytes }),
      passing: (err) => (signal.aborted ? undefined : passing(err)),
      wait,
      signal,
    });
    this.#change(key, { state: 'checking' });
    const sum = globalThis.isSecureContext && file.size <= hashed ? { sha256: await this.#a.hash(file) } : {};
    return viewOf(await patient(() => this.#a.ask<Uploaded>('POST', pathOf(up.id, '/complete'), { ...sum, ...facts })));
  }

  /** Sends a file in one request. */
  async #whole(key: string, file: File, o: { facts: Facts; by: string; signal: AbortSignal }): Promise<Uploaded> {
    const { facts, by, signal } = o;
    const sum = globalThis.isSecureContext ? { sha256: await this.#a.hash(file) } : {};
    const said = Object.entries({ name: file.name, key: by, ...sum, ...facts }).map(([k, v]) => [k, `${v}`]);
    const left = (bytes: number) => {
      const sent = Math.min(bytes, file.size);
      this.#change(key, { sent, state: sent < file.size ? 'sending' : 'checking' });
    };
    const path = `/rooms/${this.#a.room}/files?${new URLSearchParams(said)}`;
    return this.#a.slots.run(() => {
      this.#change(key, { sent: 0, state: 'sending' });
      return this.#a.put<Uploaded>(path, file, { method: 'POST', left, signal });
    });
  }

  /** The upload that was begun, or a new one. */
  async #there(item: Item, file: File): Promise<Uploaded> {
    if (item.id) {
      try {
        return await this.#a.ask<Uploaded>('GET', pathOf(item.id));
      } catch (err) {
        if (!(err instanceof Refusal) || err.status !== 404) throw err;
        this.#forget(item.id); // it was not finished in time
      }
    }
    return this.#a.ask<Uploaded>('POST', '/files', { name: file.name, size: file.size, room: this.#a.room });
  }

  /**
   * Sends what is held, once nothing is under way any more. A file that failed stays, and so do those over what a
   * message may have: files of a message that was not sent, or of before a reload, came to those that were added.
   */
  #settle(): void {
    if (!this.#held || this.#items.some((i) => busy.includes(i.state))) return;
    const { reply } = this.#held;
    this.#held = undefined;
    const ready = this.#items.filter((i) => i.view).slice(0, most);
    if (!ready.length) return;
    for (const item of ready) {
      this.#drop(item);
      if (item.preview) this.#a.preview(item.view?.id ?? '', item.preview);
    }
    this.#sends++;
    this.#a.send(
      ready.flatMap((i) => i.view ?? []),
      reply,
    );
  }

  #find(key: string): Item | undefined {
    return this.#items.find((i) => i.key === key);
  }

  #change(key: string, to: Partial<Item>): void {
    this.#items = this.#items.map((i) => (i.key === key ? { ...i, ...to } : i));
  }

  #drop(item: Item): void {
    this.#items = this.#items.filter((i) => i.key !== item.key);
    this.#stops.delete(item.key);
    const name = nameOf(item);
    if (name) this.#forget(name);
  }

  #keep(k: Kept): void {
    const name = nameOf(k) ?? '';
    this.#a.store.set(this.#a.keys + name, JSON.stringify(k));
    // Other tabs see by the lock that somebody has the file.
    if (!this.#locks.has(name) && 'locks' in navigator)
      void navigator.locks.request(this.#a.keys + name, () => new Promise<void>((free) => this.#locks.set(name, free)));
  }

  #forget(name: string): void {
    this.#a.store.remove(this.#a.keys + name);
    this.#locks.get(name)?.();
    this.#locks.delete(name);
  }

  /** Takes up what a reload cut off. */
  async #restore(): Promise<void> {
    const { store, keys, room, thread } = this.#a;
    const mine = store.keys(keys).flatMap((key) => read(store.get(key)) ?? []);
    const elsewhere = 'locks' in navigator ? ((await navigator.locks.query()).held ?? []).map((l) => l.name) : [];
    const here = mine.filter((k) => k.room === room && (k.thread ?? 0) === thread);
    for (const k of here) if (!elsewhere.includes(keys + (nameOf(k) ?? ''))) await this.#take(k);
  }

  async #take(k: Kept): Promise<void> {
    const { id, by, at = 0, name, size, type } = k;
    const item: Item = { key: `${this.#next++}`, id, by, name, size, type, state: 'again', sent: 0 };
    if (!id) {
      if (by && Date.now() - at > day) return this.#forget(by); // the server has let go of it as well
      this.#items = [...this.#items, item];
      return;
    }
    try {
      const up = await this.#a.ask<Uploaded>('GET', pathOf(id));
      if (up.state === 'gone') return this.#forget(id);
      const sent = Math.min(size, (up.parts ?? []).length * up.part_size);
      const now: Partial<Item> = up.state === 'ready' ? { view: viewOf(up), state: 'ready', sent: size } : { sent };
      this.#items = [...this.#items, { ...item, ...now }];
    } catch (err) {
      if (err instanceof Refusal) this.#forget(id);
      else this.#items = [...this.#items, item]; // offline: it is known later
    }
  }
}

/** A server that does not take files in one request does in parts. */
function unlessOlder(err: unknown): undefined {
  if (!(err instanceof Refusal) || err.status !== 405) throw err;
}

/** Under which name an upload is kept. */
const nameOf = ({ id, by }: { id?: string | undefined; by?: string | undefined }): string | undefined => id ?? by;

/** What a message says of a file. */
function viewOf({ id, name, size, type, width, height, duration_ms, thumbnail }: Uploaded): FileView {
  return {
    ...{ id, name, size, type },
    ...(width && height && { width, height }),
    ...(duration_ms && { duration_ms }),
    ...(thumbnail && { thumbnail }),
  };
}

function read(text: string | undefined): Kept | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Kept);
  } catch {
    return undefined;
  }
}

/** Ends early, with the reason, if it is cancelled. */
function until(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((done, failed) => {
    const cancel = () => failed(signal.reason as Error);
    if (signal.aborted) return cancel();
    signal.addEventListener('abort', cancel, { once: true });
    void work.then(done).finally(() => signal.removeEventListener('abort', cancel));
  });
}
