// What a chart draws: buckets of readings, with gaps where there were none.

/** Readings of a span of time that are drawn as one point. Times are milliseconds since 1970. */
export interface Bucket {
  t: number;
  /** the value in the middle: a mean, or the one reading */
  v: number;
  min: number;
  max: number;
  n: number;
}

/** Columns as the chart takes them: seconds, values, least and greatest; null is a gap. */
export type Columns = [x: number[], v: (number | null)[], min: (number | null)[], max: (number | null)[]];

/**
 * The columns of buckets in the order of their times. A gap is put in where more than three times
 * the distance that is usual around there lies between two of them, or more than step milliseconds.
 */
export function columnsOf(buckets: readonly Bucket[], step: number): Columns {
  const columns: Columns = [[], [], [], []];
  const put = (t: number, b: Bucket | undefined) => {
    columns[0].push(t / 1000);
    columns[1].push(b ? b.v : null);
    columns[2].push(b ? b.min : null);
    columns[3].push(b ? b.max : null);
  };
  const apart = buckets.slice(1).map((b, i) => b.t - (buckets[i]?.t ?? 0));
  buckets.forEach((b, i) => {
    const since = apart[i - 1] ?? 0;
    if (since > step * 1.5 && since > 3 * usual(apart, i - 1)) put(b.t - since / 2, undefined);
    put(b.t, b);
  });
  return columns;
}

const around = 5; // distances on either side

/** The median of the distances around one. A device that reports more often than before has no gaps before. */
function usual(apart: readonly number[], i: number): number {
  const near = apart.slice(Math.max(0, i - around), i + around + 1).sort((a, b) => a - b);
  return near[near.length >> 1] ?? 0;
}

/**
 * Adds a live value at the end: to the last bucket, as long as that lasts, or else to a new one, which begins
 * at a multiple of step. One of before the last bucket is left out; buckets of before from are let go.
 */
export function withLive(
  buckets: readonly Bucket[],
  step: number,
  t: number,
  v: number,
  from: number,
): readonly Bucket[] {
  const last = buckets.at(-1);
  const begin = step > 0 ? t - (t % step) : t;
  if (last && begin < last.t) return buckets;
  if (last && begin === last.t) return [...buckets.slice(0, -1), joined(last, v)];
  const first = buckets.findIndex((b) => b.t >= from);
  return [...(first < 0 ? [] : buckets.slice(first)), { t: begin, v, min: v, max: v, n: 1 }];
}

/** A bucket with one more value. */
const joined = (b: Bucket, v: number): Bucket => ({
  t: b.t,
  v: (b.v * b.n + v) / (b.n + 1),
  min: Math.min(b.min, v),
  max: Math.max(b.max, v),
  n: b.n + 1,
});

/** The bucket nearest to a time, by its index; -1 of none. */
export function nearest(buckets: readonly Bucket[], t: number): number {
  let low = 0;
  let high = buckets.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((buckets[middle]?.t ?? 0) < t) low = middle + 1;
    else high = middle;
  }
  const at = buckets[low];
  const before = buckets[low - 1];
  return at && before && t - before.t < at.t - t ? low - 1 : high;
}

export interface Span {
  from: number;
  to: number;
}

const least = 10_000; // milliseconds that a chart shows

/** A span of which a factor is shown, around a moment that stays where it is. */
export function zoomed(s: Span, factor: number, around: number): Span {
  const length = Math.max(least, (s.to - s.from) * factor);
  const share = (around - s.from) / (s.to - s.from);
  const from = around - length * Math.min(1, Math.max(0, share));
  return { from, to: from + length };
}

/** The span moved by a share of its length, not past the present. */
export function moved(s: Span, share: number, now: number): Span {
  const by = Math.min((s.to - s.from) * share, Math.max(0, now - s.to));
  return { from: s.from + by, to: s.to + by };
}
