import uPlot from 'uplot';
import { columnsOf, type Bucket } from './points';

/** Lines over the times of all of them. Where one has a gap, it has none of its own between the times of others. */
export function dataOf(lines: readonly { buckets: readonly Bucket[]; step: number }[]): uPlot.AlignedData {
  const tables = lines.map((l) => columnsOf(l.buckets, l.step) as uPlot.AlignedData);
  return uPlot.join(
    tables,
    tables.map((columns) => columns.map(() => expand)),
  );
}

/** The values that stand alone between gaps: no line leads to them. */
export function alone(values: ArrayLike<number | null | undefined>): number[] {
  const own = Array.from({ length: values.length }, (_, i) => i).filter((i) => values[i] !== undefined);
  const none = (i: number | undefined) => i === undefined || values[i] === null;
  return own.filter((i, n) => !none(i) && none(own[n - 1]) && none(own[n + 1]));
}

const expand = 2; // uPlot's NULL_EXPAND: a gap goes on over the times of other lines
