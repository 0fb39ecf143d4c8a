import { describe, expect, test } from 'vitest';
import type { Tensor, TensorSpec } from '../modelport';
import { formOf, read, typeOf, write } from './tensors';

const spec = (datatype: string, ...shape: number[]): TensorSpec => ({ name: 'x', datatype, shape });

describe('what is typed as an input', () => {
  test.each<[TensorSpec, string, string, number[], unknown[]]>([
    [spec('BYTES', 1), 'one\ntext', 'text', [1], ['one\ntext']],
    [spec('BYTES', 1), '', 'text', [1], ['']],
    [spec('BYTES', -1), 'one\ntwo', 'texts', [2], ['one', 'two']],
    [spec('FP32', -1), '1, 2.5;-3', 'numbers', [3], [1, 2.5, -3]],
    [spec('FP32', -1, 2), '1 2 3 4', 'numbers', [2, 2], [1, 2, 3, 4]],
    [spec('INT64', 1), ' 7 ', 'number', [1], [7]],
    [spec('BOOL', 2), 'true 0', 'bools', [2], [true, false]],
    [spec('BOOL'), 'FALSE', 'bool', [], [false]],
    [spec('FP64', -1, -1), '[[1,2],[3,4],[5,6]]', 'nested', [3, 2], [1, 2, 3, 4, 5, 6]],
    [spec('BYTES', -1, -1), '[["1"]]', 'nested', [1, 1], ['1']],
  ])('%j %j', (of, typed, form, shape, data) => {
    expect(formOf(of)).toBe(form);
    expect(read(of, typed)).toEqual({ name: 'x', datatype: of.datatype, shape, data });
  });

  test.each<[TensorSpec, string, string]>([
    [spec('FP32', -1), '', 'empty'],
    [spec('BYTES', -1), '\n', 'empty'],
    [spec('FP32', -1), '1 two', 'number'],
    [spec('FP32', -1), '1e999', 'number'],
    [spec('INT8', -1), '1.5', 'whole'],
    [spec('BOOL', -1), 'perhaps', 'bool'],
    [spec('FP32', 3), '1 2', 'count'],
    [spec('FP32', -1, 2), '1 2 3', 'count'],
    [spec('FP32', -1, -1), '1 2', 'list'],
    [spec('FP32', -1, -1), '[1, 2]', 'list'],
    [spec('FP32', -1, -1), '[[1, 2], [3]]', 'ragged'],
    [spec('FP32', -1, -1), '[[1, [2]]]', 'ragged'],
    [spec('FP32', -1, -1), '[["1"]]', 'number'],
    [spec('FP32', -1, -1), '[[null]]', 'number'],
    [spec('FP32', -1, -1, 2), '[[[1]]]', 'count'],
  ])('%j %j is wrong: %s', (of, typed, wrong) => expect(read(of, typed)).toBe(wrong));
});

test('an example is written so that it is read as itself', () => {
  for (const example of [
    { ...spec('BYTES', 2), data: ['a', 'ß'] },
    { ...spec('FP32', 2, 2), data: [1, 2.5, 3, 4] },
    { ...spec('BOOL', 1), data: [true] },
  ] satisfies Tensor[]) {
    for (const shape of [example.shape, example.shape.map(() => -1)]) {
      const of = { ...example, shape };
      expect(read(of, write(of, example))).toEqual(example);
    }
  }
  expect(write(spec('BYTES', 1), undefined)).toBe('');
});

test('a type is written with its shape', () => expect(typeOf(spec('FP32', -1, 3))).toBe('FP32 [n, 3]'));
