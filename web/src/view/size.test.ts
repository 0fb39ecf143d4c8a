import { expect, test } from 'vitest';
import { sizeOf } from './size';

test.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1500, '1.5 kB'],
  [2_000_000, '2 MB'],
  [123_456_789_012, '123.5 GB'],
  [5e15, '5,000 TB'],
])('%d bytes are %s', (bytes, text) => expect(sizeOf(bytes)).toBe(text));
