// Messages on their way. Each is kept in the browser by itself until the server has
// it, so that tabs do not overwrite each other's; and each has a key, so that
// sending twice, from two tabs too, writes once.

import { Lost } from '../net/connection';
import { Refusal } from '../net/api';
import { newKey } from '../platform/key';
import type { Store } from '../platform/storage.svelte';
import { excerptOf, gist } from '../view/files/gist';
import type { Pending } from '../view/room/lines';
import type { FileView, Message, User } from '../view/types';
import { outboxKeys } from './unsent';

interface Kept {
  room: string;
  key: string;
  text: string;
  at: string;
  reply_to?: Message['reply_to'];
  files?: readonly FileView[];
  /** number of the message in whose thread it is a reply */
  thread?: number;
  /** the reply is a line of the room as well */
  broadcast?: boolean;
  /** media type of the text; absent: Markdown */
  content_type?: string;
  failed?: string;
}

interface Sent {
  seq: number;
  message: Message;
}

/** What the outbox needs of what is around it. */
export interface Around {
  me: User;
  store: Store;
  link: { readonly live: boolean; request<T>(type: string, data: unknown): Promise<T> };
  /** what a room shows has changed */
  changed: (room: string) => void;
  /** the last event that was taken of a room */
  head: (room: string) => number;
}

const othersWait = 5_000; // so long a message of another tab is left to that tab

export class Outbox {
  readonly #a: Around;
  readonly #prefix: string;
  readonly #unfollow: () => void;
  #waiting: Kept[];
  /** acknowledged, and shown until the event itself arrives */
  #sent = new Map<string, Kept & { seq: number }>();
  #sending = new Set<string>();
  #last = 0;

  constructor(a: Around) {
    this.#a = a;
    this.#prefix = outboxKeys(a.me.id);
    this.#split();
    const kept = a.store.keys(this.#prefix).flatMap((key) => read(a.store.get(key)));
    this.#waiting = kept.sort((x, y) => (x.at < y.at ? -1 : x.at > y.at ? 1 : x.key < y.key ? -1 : 1));
    this.#unfollow = a.store.follow((key, value) => this.#told(key, value));
  }

  /** Lets go of the store. */
  close(): void {
    this.#unfollow();
  }

  /** Takes over what an earlier version kept in one entry. */
  #split(): void {
    const { store, me } = this.#a;
    const old = store.get(`unhidra.outbox.${me.id}`);
    if (old === undefined) return;
    for (const k of readAll(old)) store.set(this.#prefix + k.key, JSON.stringify(k));
    store.remove(`unhidra.outbox.${me.id}`);
  }

  /** Another tab has written a message, or is rid of one. */
  #told(key: string, value: string | undefined): void {
    if (!key.startsWith(this.#prefix)) return;
    const name = key.slice(this.#prefix.length);
    const had = this.#find(name);
    const [now] = read(value);
    if (now && had) this.#waiting = this.#waiting.map((k) => (k.key === name ? now : k));
    else if (now) this.#waiting.push(now);
    else this.#waiting = this.#waiting.filter((k) => k.key !== name);
    const room = (now ?? had)?.room;
    if (room) this.#a.changed(room);
    if (now) setTimeout(() => void this.flush(now.room), othersWait);
  }

  #find(key: string): Kept | undefined {
    return this.#waiting.find((k) => k.key === key);
  }

  /** What a room shows below its last line, or the thread of a message in it. */
  of(room: string, thread = 0): Pending[] {
    // One that was written before the page was loaded brings no event any more.
    const sent = [...this.#sent.values()].filter((k) => k.seq > this.#a.head(room));
    return [...sent, ...this.#waiting]
      .filter((k) => k.room === room && (thread ? k.thread === thread : !k.thread || k.broadcast))
      .map((k) => ({ message: this.#message(k), state: k.failed === undefined ? 'pending' : 'failed', why: k.failed }));
  }

  add(
    room: string,
    text: string,
    replyTo?: Message,
    files?: readonly FileView[],
    thread?: { root: number; broadcast: boolean },
    type?: string,
  ): void {
    this.#last = Math.max(Date.now(), this.#last + 1); // the order outlives the page
    const k: Kept = { room, key: newKey(this.#last), text, at: new Date(this.#last).toISOString() };
    if (replyTo) {
      const excerpt = excerptOf(replyTo.text || gist(replyTo));
      k.reply_to = { seq: replyTo.seq, sender: replyTo.sender, excerpt };
    }
    if (files?.length) k.files = files;
    if (type) k.content_type = type;
    if (thread) Object.assign(k, { thread: thread.root, ...(thread.broadcast && { broadcast: true }) });
    this.#waiting.push(k);
    this.#keep(k);
    void this.flush(room);
  }

  retry(key: string): void {
    const k = this.#find(key);
    if (!k) return;
    delete k.failed;
    this.#keep(k);
    void this.flush(k.room);
  }

  discard(key: string): void {
    const k = this.#find(key);
    if (k) this.#done(k);
  }

  /** Forgets a message whose event has arrived. */
  arrived(room: string, key: string): void {
    const k = this.#find(key);
    const had = this.#sent.delete(key);
    if (k) this.#done(k);
    else if (had) this.#a.changed(room);
  }

  /** Sends what waits, room by room in its order. */
  flushAll(): void {
    for (const room of new Set(this.#waiting.map((k) => k.room))) void this.flush(room);
  }

  async flush(room: string): Promise<void> {
    if (this.#sending.has(room) || !this.#a.link.live) return;
    this.#sending.add(room);
    try {
      for (let k = this.#first(room); k; k = this.#first(room)) {
        if (!(await this.#send(k))) return;
      }
    } finally {
      this.#sending.delete(room);
    }
  }

  #first(room: string): Kept | undefined {
    return this.#waiting.find((k) => k.room === room && k.failed === undefined);
  }

  /** Reports whether the next one may go. */
  async #send(k: Kept): Promise<boolean> {
    try {
      const { seq } = await this.#a.link.request<Sent>('message.send', {
        room: k.room,
        key: k.key,
        text: k.text,
        ...(k.reply_to && { reply_to: k.reply_to.seq }),
        ...(k.files && { files: k.files.map((f) => f.id) }),
        ...rest(k),
      });
      if (this.#find(k.key)) this.#sent.set(k.key, { ...k, seq }); // the event may have been faster
      this.#done(k);
      return true;
    } catch (err) {
      if (err instanceof Lost) return false; // sent again at the next hello
      if (err instanceof Refusal && (err.kind === 'rate_limited' || err.kind === 'unavailable')) {
        await new Promise((done) => setTimeout(done, Math.max(1, err.retryAfter) * 1000));
        return this.#a.link.live;
      }
      const failed = this.#find(k.key); // unless it is gone by now
      if (!failed) return true;
      failed.failed = err instanceof Refusal ? err.detail : String(err);
      this.#keep(failed);
      return true;
    }
  }

  #message(k: Kept): Message {
    return {
      room: k.room,
      seq: 0,
      sender: this.#a.me,
      key: k.key,
      text: k.text,
      at: k.at,
      ...(k.reply_to && { reply_to: k.reply_to }),
      ...(k.files && { files: [...k.files] }),
      ...rest(k),
    };
  }

  #keep(k: Kept): void {
    this.#a.store.set(this.#prefix + k.key, JSON.stringify(k));
    this.#a.changed(k.room);
  }

  #done(k: Kept): void {
    this.#waiting = this.#waiting.filter((other) => other.key !== k.key);
    this.#a.store.remove(this.#prefix + k.key);
    this.#a.changed(k.room);
  }
}

const rest = ({ thread, broadcast, content_type }: Kept) => ({
  ...(thread && { thread }),
  ...(broadcast && { broadcast }),
  ...(content_type && { content_type }),
});

function readAll(text: string): Kept[] {
  try {
    return JSON.parse(text) as Kept[];
  } catch {
    return [];
  }
}

const read = (text: string | undefined): Kept[] => (text === undefined ? [] : readAll(`[${text}]`));
