import type { Tensor, TensorSpec } from '../modelport';

/** What is wrong with what somebody typed as an input; the texts have it as models.wrong-… */
export type Wrong = 'empty' | 'number' | 'whole' | 'bool' | 'list' | 'count' | 'ragged';

/** How many elements a shape has, where it says; the number of its open sizes beside. */
function sizeOfShape(shape: readonly number[]): { known: number; open: number } {
  const known = shape.filter((n) => n >= 0).reduce((all, n) => all * n, 1);
  return { known, open: shape.filter((n) => n < 0).length };
}

/** Whether an input takes one element, so that one field is enough. */
export function single({ shape }: TensorSpec): boolean {
  const { known, open } = sizeOfShape(shape);
  return open === 0 && known === 1;
}

/** Whether an input is typed as nested lists: its shape has sizes that the number of elements does not tell. */
export const nested = ({ shape }: TensorSpec): boolean => sizeOfShape(shape).open > 1;

/** How an input is typed. */
export type Form = 'text' | 'texts' | 'number' | 'numbers' | 'bool' | 'bools' | 'nested';

export function formOf(spec: TensorSpec): Form {
  if (nested(spec)) return 'nested';
  const kind = spec.datatype === 'BYTES' ? 'text' : spec.datatype === 'BOOL' ? 'bool' : 'number';
  return single(spec) ? kind : `${kind}s`;
}

/** Reads what was typed as the input of spec. Texts are one a line, or the whole of a single one. */
export function read(spec: TensorSpec, typed: string): Tensor | Wrong {
  const form = formOf(spec);
  if (form === 'nested') return readNested(spec, typed);
  const words =
    form === 'text' ? [typed] : form === 'texts' ? typed.split('\n') : typed.split(/[\s,;]+/).filter((w) => w !== '');
  if (form !== 'text' && words.every((w) => w === '')) return 'empty';
  const data: unknown[] = [];
  for (const word of words) {
    const element = elementOf(spec.datatype, word);
    if (isWrong(element)) return element.wrong;
    data.push(element);
  }
  const shape = shapeFor(spec.shape, data.length);
  return shape ? { name: spec.name, datatype: spec.datatype, shape, data } : 'count';
}

const isWrong = (v: unknown): v is { wrong: Wrong } => typeof v === 'object' && v !== null && 'wrong' in v;

function elementOf(datatype: string, word: string): unknown {
  if (datatype === 'BYTES') return word;
  if (datatype === 'BOOL') return /^(true|1)$/i.test(word) || (/^(false|0)$/i.test(word) ? false : { wrong: 'bool' });
  const n = Number(word);
  if (!Number.isFinite(n)) return { wrong: 'number' };
  return datatype.startsWith('FP') || Number.isSafeInteger(n) ? n : { wrong: 'whole' };
}

/** The shape with its open size as so many elements need it; nothing: they do not fit. */
function shapeFor(shape: readonly number[], count: number): number[] | undefined {
  const { known, open } = sizeOfShape(shape);
  if (open === 0) return known === count ? [...shape] : undefined;
  if (known === 0 || count % known !== 0) return undefined;
  return shape.map((n) => (n < 0 ? count / known : n));
}

function readNested(spec: TensorSpec, typed: string): Tensor | Wrong {
  let value: unknown;
  try {
    value = JSON.parse(typed);
  } catch {
    return 'list';
  }
  const shape: number[] = [];
  for (let level = value; Array.isArray(level) && shape.length < spec.shape.length; level = level[0] as unknown)
    shape.push(level.length);
  if (shape.length !== spec.shape.length) return 'list';
  const data: unknown[] = [];
  const gather = (v: unknown, depth: number): boolean => {
    if (depth === shape.length) return !Array.isArray(v) && data.push(v) > 0;
    return Array.isArray(v) && v.length === shape[depth] && v.every((one) => gather(one, depth + 1));
  };
  if (!gather(value, 0)) return 'ragged';
  if (spec.shape.some((n, i) => n >= 0 && n !== shape[i])) return 'count';
  for (const [i, v] of data.entries()) {
    if (typeof v === 'string' && spec.datatype !== 'BYTES') return 'number';
    const element = elementOf(spec.datatype, String(v));
    if (isWrong(element)) return element.wrong;
    data[i] = element;
  }
  return { name: spec.name, datatype: spec.datatype, shape, data };
}

/** An input as it is typed: of an example. */
export function write(spec: TensorSpec, example: Tensor | undefined): string {
  if (!example || !Array.isArray(example.data)) return '';
  const flat = (example.data as unknown[]).flat(Infinity).map(String);
  switch (formOf(spec)) {
    case 'nested':
      return JSON.stringify(fold((example.data as unknown[]).flat(Infinity), example.shape));
    case 'text':
    case 'texts':
      return flat.join('\n');
    default:
      return flat.join(', ');
  }
}

function fold(flat: unknown[], shape: readonly number[]): unknown {
  const [, ...rest] = shape;
  if (rest.length === 0) return flat;
  const size = rest.reduce((all, n) => all * n, 1);
  if (size === 0) return [];
  const parts: unknown[] = [];
  for (let at = 0; at < flat.length; at += size) parts.push(fold(flat.slice(at, at + size), rest));
  return parts;
}

/** The type and shape of an input or output, as one writes them: FP32 [n, 3]. */
export const typeOf = ({ datatype, shape }: TensorSpec): string =>
  `${datatype} [${shape.map((n) => (n < 0 ? 'n' : n)).join(', ')}]`;
