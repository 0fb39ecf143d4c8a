// A small chart as paths of a drawing that is 100 wide and 100 high, stretched to where it stands.

import { columnsOf, type Bucket, type Span } from './points';

export interface Spark {
  /** the means */
  line: string;
  /** from the least to the greatest values; empty where they are one */
  band: string;
  /** a value that has neighbours on no side */
  dots: { x: number; y: number }[];
  /** where a value stands, from above */
  height: (v: number) => number;
  least: number;
  greatest: number;
}

const whole = 100;
const edge = 6; // that is left free above and below

/**
 * The drawing of buckets in a span. also: values that must be seen beside them, such as a limit. twofold: it is on or
 * off, and drawn in steps from 0 to 1.
 */
export function sparkOf(
  buckets: readonly Bucket[],
  step: number,
  span: Span,
  also: readonly number[] = [],
  twofold = false,
): Spark {
  const low = twofold ? [0] : [...buckets.map((b) => b.min), ...also];
  const high = twofold ? [1] : [...buckets.map((b) => b.max), ...also];
  const least = Math.min(...low);
  const greatest = Math.max(...high);
  // A bucket may begin before the span.
  const x = (s: number) => tidy(Math.max(0, (s * 1000 - span.from) / (span.to - span.from)) * whole);
  const height = (v: number) =>
    greatest > least ? tidy(whole - edge - ((v - least) / (greatest - least)) * (whole - 2 * edge)) : whole / 2;

  const spark: Spark = { line: '', band: '', dots: [], height, least, greatest };
  const [times, values, mins, maxs] = columnsOf(buckets, step);
  for (let i = 0; i < times.length;) {
    if (values[i] === null) {
      i++;
      continue;
    }
    let end = i;
    while (end < times.length && values[end] !== null) end++;
    const at = (column: (number | null)[], n: number) => `${x(times[n] ?? 0)} ${height(column[n] ?? 0)}`;
    const run = Array.from({ length: end - i }, (_, n) => i + n);
    if (run.length === 1) spark.dots.push({ x: x(times[i] ?? 0), y: height(values[i] ?? 0) });
    else spark.line += `M${run.map((n) => stepTo(n, i) + at(values, n)).join('L')}`;
    if (!twofold && run.length > 1)
      spark.band += `M${[...run.map((n) => at(maxs, n)), ...run.toReversed().map((n) => at(mins, n))].join('L')}Z`;
    i = end;

    function stepTo(n: number, first: number): string {
      return twofold && n > first ? `${x(times[n] ?? 0)} ${height(values[n - 1] ?? 0)}L` : '';
    }
  }
  return spark;
}

const tidy = (n: number): number => Math.round(n * 100) / 100;
