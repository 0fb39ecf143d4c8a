import { expect, test } from 'vitest';
import type { Api } from '../net/api';
import type { Event, Me, Message, RoomState, User } from '../view/types';
import type { Outbox } from './outbox';
import { MemoryBrowser } from './memorystore';
import { OpenRoom } from './room.svelte';
import { fromOf } from '../view/room/lines';
import type { Page } from './window';

const ann: User = { id: 'usr_a', kind: 'user', username: 'ann', display_name: 'Ann' };
const pageSize = 7;

/** Numbers that look random, the same for the same seed. */
function chances(seed: number): (n: number) => number {
  let x = seed * 2654435761 + 1;
  return (n) => {
    x = (Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return Math.floor(((x >>> 0) / 2 ** 32) * n);
  };
}

/** The log of a room as the server keeps it, and its pages. */
class Log {
  events: Event[] = [];
  floor = 0;

  get head(): number {
    return this.events.length;
  }

  add(type: string, target?: number): void {
    const seq = this.head + 1;
    const e: Event = { room: 'r', seq, type, actor: ann, at: new Date(seq * 1000).toISOString() };
    if (type === 'message.created') e.message = { room: 'r', seq, sender: ann, text: `m${seq}`, at: e.at };
    if (target !== undefined) e.message = this.edited(target);
    this.events.push(e);
  }

  /** A message after one more change. */
  edited(target: number): Message {
    const was = this.message(target, this.head);
    return { ...was, text: `${was.text}'`, edits: (was.edits ?? 0) + 1 };
  }

  message(seq: number, upTo: number): Message {
    const last = this.events.findLast((e) => e.seq <= upTo && e.message?.seq === seq);
    if (!last?.message) throw new Error(`no message ${seq}`);
    return last.message;
  }

  /** The timeline as it is after an event. */
  lines(upTo = this.head): Event[] {
    return this.events
      .filter((e) => e.seq > this.floor && e.seq <= upTo && e.type !== 'message.edited')
      .map((e) => (e.message ? { ...e, message: this.message(e.seq, upTo) } : { ...e }));
  }

  page(query: URLSearchParams): Page {
    const lines = this.lines();
    const n = (name: string) => Number(query.get(name) ?? 0);
    const folds = query.has('fold');
    const before = (to: number, most: number) => cut(lines.filter((e) => e.seq < to).reverse(), most, folds, true);
    const after = (from: number, most: number) =>
      cut(
        lines.filter((e) => e.seq > from),
        most,
        folds,
        false,
      );
    let items: Event[];
    if (n('after')) items = after(n('after'), pageSize);
    else if (n('around')) items = [...before(n('around'), 3), ...after(n('around') - 1, 4)];
    else items = before(n('before') || Infinity, pageSize);
    const [first, last] = [items[0], items.at(-1)];
    return {
      items,
      ...(first && lines.some((e) => e.seq < fromOf(first)) && { prev: 'p' }),
      ...(last && lines.some((e) => e.seq > last.seq) && { next: 'n' }),
    };
  }
}

/** The first lines of a list, in which a run of joins is one. */
function cut(lines: Event[], most: number, folds: boolean, back: boolean): Event[] {
  const out: Event[] = [];
  for (let i = 0; i < lines.length && out.length < most;) {
    let end = i;
    while (folds && lines[end]?.type === 'member.joined') end++;
    const run = lines.slice(i, Math.max(end, i + 1));
    i += run.length;
    if (back) run.reverse();
    const last = run.at(-1);
    if (run.length > 3 && last)
      run.splice(0, run.length, { ...last, folded: { from: run[0]?.seq ?? 0, count: run.length - 1 } });
    out.push(...(back ? run.reverse() : run));
  }
  return back ? out.reverse() : out;
}

interface Asked {
  query: URLSearchParams;
  page?: Page;
  done: (p: Page) => void;
  failed: (err: Error) => void;
}

/** A room of the client beside the log that it shows. */
class World {
  readonly log = new Log();
  readonly asked: Asked[] = [];
  delivered = 0;
  known = 0; // the floor that the client was told of
  readonly room: OpenRoom;

  constructor(before: number, chance: (n: number) => number) {
    for (let i = 0; i < before; i++) this.happen(chance);
    this.delivered = this.log.head;
    const call = (_: string, path: string) =>
      new Promise<Page>((done, failed) =>
        this.asked.push({ query: new URL(path, 'http://x').searchParams, done, failed }),
      );
    this.room = new OpenRoom('r', {
      me: ann.id,
      api: { call } as unknown as Api<Me>,
      outbox: { of: () => [] } as unknown as Outbox,
      store: new MemoryBrowser().tab(),
      request: () => Promise.reject(new Error('not asked for here')),
      tell: () => {},
      state: () => ({ floor: this.known }) as RoomState,
      read: () => {},
      reading: () => Promise.resolve(),
      drafted: () => {},
      wrote: () => {},
      words: String,
    });
  }

  happen(chance: (n: number) => number): void {
    const messages = this.log.events.filter((e) => e.type === 'message.created' && e.seq > this.log.floor);
    const one = messages[chance(messages.length || 1)];
    const what = chance(10);
    if (what < 4) for (let n = chance(8); n >= 0; n--) this.log.add('member.joined');
    else if (what < 8 || !one) this.log.add('message.created');
    else this.log.add('message.edited', one.seq);
  }

  deliver(n: number): void {
    const news = this.log.events.slice(this.delivered, this.delivered + n);
    this.delivered += news.length;
    this.room.apply(news);
  }

  purge(to: number): void {
    this.log.floor = Math.max(this.log.floor, to);
    this.known = this.log.floor;
    this.room.forget(this.known);
  }

  async answer(i: number, fail = false): Promise<void> {
    const [a] = this.asked.splice(i, 1);
    if (!a) return;
    if (fail) a.failed(new Error('away'));
    else a.done(a.page ?? this.log.page(a.query));
    await new Promise((done) => setImmediate(done));
  }

  /** Says what is wrong with what the room shows now; empty: nothing. */
  fault(): string {
    const { room, log } = this;
    if (room.phase !== 'ready') return '';
    const shown = room.events;
    const lines = log.lines().map((e) => e.seq);
    const between = (a: number, b: number) => lines.filter((seq) => seq > a && seq < b).length;
    for (const [i, e] of shown.entries()) {
      const above = shown[i - 1];
      if (above && (fromOf(e) <= above.seq || between(above.seq, fromOf(e)) > 0))
        return `a hole between ${above.seq} and ${fromOf(e)}`;
      if (e.folded && between(e.folded.from - 1, e.seq) > e.folded.count)
        return `${e.seq} stands for ${e.folded.count}`;
      if (e.message && (e.message.edits ?? 0) < (log.message(e.seq, Math.max(this.delivered, e.seq)).edits ?? 0))
        return `${e.seq} is old`;
    }
    const [first, last] = [shown[0], shown.at(-1)];
    if (!room.hasOlder && first && between(this.known, fromOf(first)) > 0)
      return `the beginning above ${fromOf(first)}`;
    if (!room.hasNewer && between(last?.seq ?? this.known, this.delivered + 1) > 0) return `the end below ${last?.seq}`;
    return '';
  }

  /** Does one thing of those that happen to a room. */
  async step(chance: (n: number) => number): Promise<void> {
    switch (chance(12)) {
      case 0:
        return this.room.older();
      case 1:
        return this.room.newer();
      case 2:
        return this.room.trim();
      case 3: {
        const lines = this.log.lines();
        return void this.room.around(lines[chance(lines.length || 1)]?.seq ?? 1).catch(() => {});
      }
      case 4:
        return void this.room.latest().catch(() => {});
      case 5: {
        const one = this.room.events.find((e) => e.folded);
        return void (one && this.room.unfold(one.seq).catch(() => {}));
      }
      case 6:
        if (chance(8) === 0) this.purge(chance(this.log.head));
        return;
      case 7:
        return this.deliver(1 + chance(5));
      case 8: {
        const a = this.asked[chance(this.asked.length || 1)]; // the server reads now, the answer comes later
        if (a) a.page ??= this.log.page(a.query);
        return;
      }
      case 9:
        return this.happen(chance);
      default:
        return this.answer(chance(this.asked.length || 1), chance(15) === 0);
    }
  }

  /** Lets everything arrive, and loads all there is. */
  async settle(): Promise<void> {
    this.deliver(Infinity);
    while (this.asked.length) await this.answer(0);
    if (this.room.phase === 'failed') this.room.retryLoad();
    for (let i = 0; i < 1000; i++) {
      while (this.asked.length) await this.answer(0);
      if (this.room.hasOlder) this.room.older();
      else if (this.room.hasNewer) this.room.newer();
      else {
        const one = this.room.events.find((e) => e.folded);
        if (!one) return;
        void this.room.unfold(one.seq);
      }
    }
    throw new Error('there is no end');
  }
}

// The work is bounded by seeds and steps; the time is only there for what hangs.
const seeds = 60;
const steps = 120;

test(
  'a room shows a fold of its log without a hole, whatever comes in whatever order',
  { timeout: 60_000 },
  async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const chance = chances(seed);
      const w = new World(chance(60), chance);
      for (let i = 0; i < steps; i++) {
        await w.step(chance);
        expect(w.fault(), `seed ${seed}, step ${i}`).toBe('');
      }
      await w.settle();
      const state = (e: Event) => `${e.seq}:${e.message?.text ?? e.type}`;
      expect(w.room.events.map(state), `seed ${seed}`).toEqual(w.log.lines().map(state));
    }
  },
);

test('two thousand people who were added cost one request', async () => {
  const w = new World(0, () => 0);
  w.log.add('room.created');
  for (let i = 0; i < 12; i++) w.log.add('message.created');
  for (let i = 0; i < 2000; i++) w.log.add('member.joined');
  for (let i = 0; i < 3; i++) w.log.add('message.created');
  await w.answer(0, true);
  w.room.retryLoad();
  await w.answer(0);
  expect(w.room.events.map((e) => e.folded?.count ?? 0)).toEqual([0, 0, 0, 1999, 0, 0, 0]);
  expect(w.asked.length).toBe(0);
  w.room.older();
  w.room.trim();
  await w.answer(0);
  expect(w.fault()).toBe('');
});
