// Messages on their way. They are kept in the browser until the server has
// them, and each has a key, so that sending twice writes once.

import { Lost, type Connection } from '../net/connection';
import { Refusal } from '../net/api';
import type { Pending } from '../view/room/lines';
import type { Message, User } from '../view/types';

interface Kept {
  room: string;
  key: string;
  text: string;
  at: string;
  reply_to?: Message['reply_to'];
  failed?: string;
}

interface Sent {
  seq: number;
  message: Message;
}

export class Outbox {
  readonly #me: User;
  readonly #connection: Connection;
  readonly #changed: (room: string) => void;
  readonly #head: (room: string) => number;
  readonly #store: string;
  #kept: Kept[];
  /** acknowledged, and shown until the event itself arrives */
  #sent = new Map<string, Kept & { seq: number }>();
  #sending = new Set<string>();

  /** head: the last event that was taken of a room */
  constructor(me: User, connection: Connection, changed: (room: string) => void, head: (room: string) => number) {
    this.#me = me;
    this.#connection = connection;
    this.#changed = changed;
    this.#head = head;
    this.#store = `unhidra.outbox.${me.id}`;
    this.#kept = read(this.#store);
  }

  /** What a room shows below its last line. */
  of(room: string): Pending[] {
    // One that was written before the page was loaded brings no event any more.
    const sent = [...this.#sent.values()].filter((k) => k.seq > this.#head(room));
    return [...sent, ...this.#kept]
      .filter((k) => k.room === room)
      .map((k) => ({ message: this.#message(k), state: k.failed === undefined ? 'pending' : 'failed', why: k.failed }));
  }

  add(room: string, text: string, replyTo?: Message): void {
    const k: Kept = { room, key: newKey(), text, at: new Date().toISOString() };
    if (replyTo) k.reply_to = { seq: replyTo.seq, sender: replyTo.sender, excerpt: replyTo.text.slice(0, 200) };
    this.#kept.push(k);
    this.#save(room);
    void this.flush(room);
  }

  retry(key: string): void {
    const k = this.#kept.find((k) => k.key === key);
    if (!k) return;
    delete k.failed;
    this.#save(k.room);
    void this.flush(k.room);
  }

  discard(key: string): void {
    const k = this.#kept.find((k) => k.key === key);
    this.#kept = this.#kept.filter((k) => k.key !== key);
    if (k) this.#save(k.room);
  }

  /** Forgets a message whose event has arrived. */
  arrived(room: string, key: string): void {
    const had = this.#sent.delete(key) || this.#kept.some((k) => k.key === key);
    this.#kept = this.#kept.filter((k) => k.key !== key);
    if (had) this.#save(room);
  }

  /** Sends what waits, room by room in its order. */
  flushAll(): void {
    for (const room of new Set(this.#kept.map((k) => k.room))) void this.flush(room);
  }

  async flush(room: string): Promise<void> {
    if (this.#sending.has(room) || !this.#connection.live) return;
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
    return this.#kept.find((k) => k.room === room && k.failed === undefined);
  }

  /** Reports whether the next one may go. */
  async #send(k: Kept): Promise<boolean> {
    try {
      const { seq } = await this.#connection.request<Sent>('message.send', {
        room: k.room,
        key: k.key,
        text: k.text,
        ...(k.reply_to && { reply_to: k.reply_to.seq }),
      });
      if (this.#kept.includes(k)) this.#sent.set(k.key, { ...k, seq }); // the event may have been faster
      this.#kept = this.#kept.filter((other) => other !== k);
      this.#save(k.room);
      return true;
    } catch (err) {
      if (err instanceof Lost) return false; // sent again at the next hello
      if (err instanceof Refusal && (err.kind === 'rate_limited' || err.kind === 'unavailable')) {
        await new Promise((done) => setTimeout(done, Math.max(1, err.retryAfter) * 1000));
        return this.#connection.live;
      }
      k.failed = err instanceof Refusal ? err.detail : String(err);
      this.#save(k.room);
      return true;
    }
  }

  #message(k: Kept): Message {
    return { room: k.room, seq: 0, sender: this.#me, key: k.key, text: k.text, at: k.at, ...(k.reply_to && { reply_to: k.reply_to }) };
  }

  #save(room: string): void {
    if (this.#kept.length) localStorage.setItem(this.#store, JSON.stringify(this.#kept));
    else localStorage.removeItem(this.#store);
    this.#changed(room);
  }
}

function read(store: string): Kept[] {
  try {
    return JSON.parse(localStorage.getItem(store) ?? '[]') as Kept[];
  } catch {
    return [];
  }
}

// Ordered by time, so that the server's index of keys grows at its end.
const newKey = (): string => `${Date.now().toString(36)}-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
