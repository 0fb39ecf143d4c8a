// A file on its way in parts: what has arrived, what is under way, what goes next. The state is pure; sendParts
// moves it, with whatever carries a part.

/** How far a file is. */
export interface Parts {
  readonly size: number;
  /** bytes of a part; the last may have fewer */
  readonly part: number;
  readonly done: ReadonlySet<number>;
  /** those that are under way, with the bytes of them that have left */
  readonly flying: ReadonlyMap<number, number>;
  /** failures since a part last arrived */
  readonly failures: number;
}

export type Step =
  | { type: 'start' | 'done' | 'failed'; n: number }
  | { type: 'left'; n: number; bytes: number };

const patience = 8; // failures in a row, after which somebody has to ask for another try
const longest = 30_000;

/** A file of which the receiver has some parts. */
export const begin = (size: number, part: number, have: Iterable<number> = []): Parts => ({
  size,
  part,
  done: new Set(have),
  flying: new Map(),
  failures: 0,
});

export const countOf = (p: Parts): number => Math.ceil(p.size / p.part);

const bytesOf = (p: Parts, n: number): number => Math.min(p.part, p.size - n * p.part);

/** Bytes that are there or have left. */
export function sentOf(p: Parts): number {
  let sum = 0;
  for (const n of p.done) sum += bytesOf(p, n);
  for (const [n, bytes] of p.flying) sum += Math.min(bytes, bytesOf(p, n));
  return sum;
}

export const isWhole = (p: Parts): boolean => p.done.size >= countOf(p);

/** Whether it has failed too often in a row. */
export const isGivenUp = (p: Parts): boolean => p.failures >= patience;

/** Milliseconds to wait before another try: twice as long after each failure. */
export const pauseOf = (p: Parts): number =>
  p.failures ? Math.min(longest, 1000 * 2 ** (p.failures - 1)) : 0;

/** The first parts that are neither there nor under way, so that at most so many are. */
export function nextOf(p: Parts, atOnce: number): number[] {
  const next: number[] = [];
  for (let n = 0; n < countOf(p) && next.length < atOnce - p.flying.size; n++)
    if (!p.done.has(n) && !p.flying.has(n)) next.push(n);
  return next;
}

/** What a step makes of it. A step that comes too late changes nothing. */
export function after(p: Parts, s: Step): Parts {
  const flying = new Map(p.flying);
  switch (s.type) {
    case 'start':
      return p.done.has(s.n) ? p : { ...p, flying: flying.set(s.n, 0) };
    case 'left':
      return flying.has(s.n) ? { ...p, flying: flying.set(s.n, s.bytes) } : p;
    case 'done':
      flying.delete(s.n);
      return { ...p, flying, done: new Set(p.done).add(s.n), failures: 0 };
    case 'failed':
      return flying.delete(s.n) ? { ...p, flying, failures: p.failures + 1 } : p;
  }
}

/** How one bears with failures. */
interface Patience {
  /** Whether a failure may pass: if so, seconds that the receiver wants to be left alone; otherwise undefined. */
  passing: (err: unknown) => number | undefined;
  wait: (ms: number) => Promise<void>;
}

/** Does work that is safe to repeat, and again after a failure that may pass. Fails with the last if it gives up. */
export async function patiently<T>(work: () => Promise<T>, { passing, wait }: Patience): Promise<T> {
  for (let p = begin(1, 1); ; ) {
    try {
      return await work();
    } catch (err) {
      p = after(after(p, { type: 'start', n: 0 }), { type: 'failed', n: 0 });
      const seconds = passing(err);
      if (seconds === undefined || isGivenUp(p)) throw err;
      await wait(Math.max(pauseOf(p), 1000 * seconds));
    }
  }
}

/** What sendParts needs. */
export interface Carrier extends Patience {
  part: number;
  atOnce: number;
  /** parts that the receiver has */
  have?: Iterable<number>;
  /** Carries one part; left is told the bytes of it that have left. Must be safe to repeat. */
  put: (n: number, bytes: Blob, left: (bytes: number) => void) => Promise<unknown>;
  /** told how many bytes are there or have left */
  sent: (bytes: number) => void;
  signal?: AbortSignal;
}

/** Sends a file in parts, and again those that failed. Fails with the last failure if it gives up. */
export async function sendParts(file: Blob, c: Carrier): Promise<void> {
  let p = begin(file.size, c.part, c.have);
  c.sent(sentOf(p));
  const step = (s: Step) => {
    p = after(p, s);
    c.sent(sentOf(p));
  };
  let over: { err: unknown } | undefined;

  const one = async (n: number) => {
    try {
      const bytes = file.slice(n * c.part, (n + 1) * c.part, 'application/octet-stream');
      await c.put(n, bytes, (left) => step({ type: 'left', n, bytes: left }));
      step({ type: 'done', n });
    } catch (err) {
      step({ type: 'failed', n });
      const seconds = c.passing(err);
      if (seconds === undefined || isGivenUp(p)) over ??= { err };
      else await c.wait(Math.max(pauseOf(p), 1000 * seconds));
    }
  };

  const work = new Set<Promise<void>>();
  while (!over && !isWhole(p)) {
    // After a failure one part tries the way for all, and holds its place while it waits.
    for (const n of nextOf(p, p.flying.size + (p.failures ? 1 : c.atOnce) - work.size)) {
      step({ type: 'start', n });
      const mine: Promise<void> = one(n).finally(() => work.delete(mine));
      work.add(mine);
    }
    await Promise.race(work);
    if (c.signal?.aborted) over = { err: c.signal.reason as unknown };
  }
  await Promise.all(work);
  if (over) throw over.err;
}
