import { describe, expect, test, vi } from 'vitest';
import { after, begin, isGivenUp, isWhole, nextOf, pauseOf, sendParts, sentOf } from './parts';
import type { Carrier, Parts } from './parts';

const run = (p: Parts, ...steps: Parameters<typeof after>[1][]) => steps.reduce(after, p);

describe('the parts of a file', () => {
  test('go in order, at most so many at once, and the last has what is left', () => {
    let p = begin(25, 10);
    expect(nextOf(p, 2)).toEqual([0, 1]);
    p = run(p, { type: 'start', n: 0 }, { type: 'start', n: 1 });
    expect(nextOf(p, 2)).toEqual([]);
    p = run(p, { type: 'done', n: 1 });
    expect(nextOf(p, 2)).toEqual([2]);
    p = run(p, { type: 'start', n: 2 }, { type: 'left', n: 2, bytes: 900 });
    expect(sentOf(p)).toBe(10 + 0 + 5); // what a request adds to the bytes is not counted
    p = run(p, { type: 'done', n: 2 }, { type: 'done', n: 0 });
    expect([isWhole(p), sentOf(p)]).toEqual([true, 25]);
  });

  test('that the server has are not sent again', () => {
    const p = begin(30, 10, [0, 2]);
    expect(nextOf(p, 3)).toEqual([1]);
    expect(sentOf(p)).toBe(20);
  });

  test('that failed count nothing, are sent again, and make the pause longer until one arrives', () => {
    let p = run(begin(20, 10), { type: 'start', n: 0 }, { type: 'left', n: 0, bytes: 7 }, { type: 'failed', n: 0 });
    expect([sentOf(p), pauseOf(p), nextOf(p, 1)]).toEqual([0, 1000, [0]]);
    p = run(p, { type: 'start', n: 0 }, { type: 'failed', n: 0 });
    expect(pauseOf(p)).toBe(2000);
    for (let i = 0; i < 5; i++) p = run(p, { type: 'start', n: 0 }, { type: 'failed', n: 0 });
    expect([pauseOf(p), isGivenUp(p)]).toEqual([30_000, false]);
    p = run(p, { type: 'start', n: 1 }, { type: 'done', n: 1 });
    expect(pauseOf(p)).toBe(0);
  });

  test('that fail too often in a row are given up', () => {
    let p = begin(10, 10);
    for (let i = 0; i < 8; i++) p = run(p, { type: 'start', n: 0 }, { type: 'failed', n: 0 });
    expect(isGivenUp(p)).toBe(true);
  });

  test('change by no step that comes too late', () => {
    const p = run(begin(20, 10), { type: 'start', n: 0 }, { type: 'done', n: 0 });
    expect(run(p, { type: 'left', n: 0, bytes: 3 })).toBe(p);
    expect(run(p, { type: 'start', n: 0 })).toBe(p);
    expect(run(p, { type: 'failed', n: 0 })).toBe(p);
  });
});

describe('a file that is sent', () => {
  const file = new Blob(['0123456789abcdefghijklmno']); // 25 bytes

  /** A receiver that keeps what it gets, and what of all was under way at once at most. */
  class Receiver {
    got = new Map<number, string>();
    most = 0;
    waited: number[] = [];
    sent: number[] = [];
    #now = 0;

    constructor(private readonly refuse: (n: number, times: number) => unknown = () => undefined) {}

    carrier(more: Partial<Carrier> = {}): Carrier {
      const times = new Map<number, number>();
      return {
        part: 10,
        atOnce: 3,
        put: async (n, bytes) => {
          this.most = Math.max(this.most, ++this.#now);
          await new Promise((done) => setTimeout(done));
          this.#now--;
          times.set(n, (times.get(n) ?? 0) + 1);
          const err = this.refuse(n, times.get(n) ?? 0);
          if (err) throw err;
          this.got.set(n, await bytes.text());
        },
        sent: (bytes) => this.sent.push(bytes),
        passing: (err) => (err === 'away' ? 0 : err === 'busy' ? 7 : undefined),
        wait: (ms) => (this.waited.push(ms), Promise.resolve()),
        ...more,
      };
    }
    get whole() {
      return [...this.got].sort(([a], [b]) => a - b).map(([, text]) => text).join('');
    }
  }

  test('arrives whole', async () => {
    const r = new Receiver();
    await sendParts(file, r.carrier());
    expect([r.whole, r.most, r.sent.at(-1)]).toEqual(['0123456789abcdefghijklmno', 3, 25]);
  });

  test('has no more parts under way than allowed', async () => {
    const r = new Receiver();
    await sendParts(file, r.carrier({ atOnce: 1 }));
    expect([r.whole.length, r.most]).toEqual([25, 1]);
  });

  test('goes on with what is missing', async () => {
    const r = new Receiver();
    await sendParts(file, r.carrier({ have: [0, 2] }));
    expect([...r.got.keys()]).toEqual([1]);
    expect(r.sent[0]).toBe(15);
  });

  test('is sent again where it was lost, after the pause that the receiver wants', async () => {
    const r = new Receiver((n, times) => (n === 1 && times < 3 ? (times === 1 ? 'busy' : 'away') : undefined));
    await sendParts(file, r.carrier({ atOnce: 1 }));
    expect([r.whole.length, r.waited]).toEqual([25, [7000, 2000]]);
  });

  test('is given up at a refusal, which is told', async () => {
    const r = new Receiver((n) => (n === 1 ? 'too large' : undefined));
    await expect(sendParts(file, r.carrier({ atOnce: 1 }))).rejects.toBe('too large');
    expect([...r.got.keys()]).toEqual([0]);
  });

  test('is given up when nothing arrives any more', async () => {
    const r = new Receiver(() => 'away');
    await expect(sendParts(file, r.carrier({ atOnce: 1 }))).rejects.toBe('away');
    expect(r.waited.length).toBe(7);
  });

  test('is tried by one part alone after a failure', async () => {
    const big = new Blob([new Uint8Array(100)]);
    const waits: (() => void)[] = [];
    const tries: number[] = [];
    const r = new Receiver((n) => (tries.push(n), tries.length <= 3 ? 'away' : undefined));
    const sent = sendParts(big, r.carrier({ wait: () => new Promise<void>((done) => waits.push(done)) }));
    await vi.waitFor(() => expect(waits.length).toBe(3));
    waits[0]?.();
    waits[1]?.();
    await new Promise((done) => setTimeout(done, 5));
    expect(tries).toEqual([0, 1, 2]); // one still waits
    waits[2]?.();
    await sent;
    expect(tries.slice(3, 5)).toEqual([0, 1]);
    expect(r.got.size).toBe(10);
  });

  test('stops when it is cancelled', async () => {
    const stop = new AbortController();
    const r = new Receiver((n) => (n === 0 ? (stop.abort('cancelled'), undefined) : undefined));
    await expect(sendParts(file, r.carrier({ atOnce: 1, signal: stop.signal }))).rejects.toBe('cancelled');
    expect([...r.got.keys()]).toEqual([0]);
  });
});
