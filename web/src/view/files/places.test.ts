import { expect, test } from 'vitest';
import type { FileView } from '../types';
import { gridOf, heightOf, kindOf, layOut, placeOf } from './places';

const file = (type: string, more: Partial<FileView> = {}): FileView => ({
  id: 'fil_1',
  name: 'a',
  size: 1,
  type,
  ...more,
});

test('what browsers show is shown, and everything else is a row', () => {
  expect(kindOf(file('image/png'))).toBe('image');
  for (const type of ['image/svg+xml', 'image/heic', 'application/pdf', 'text/html'])
    expect(kindOf(file(type)), type).toBe('other');
  expect(kindOf(file('video/mp4'))).toBe('video');
  expect(kindOf(file('audio/mpeg'))).toBe('audio');
  // WebM is the type of both.
  expect(kindOf(file('video/webm', { duration_ms: 900 }))).toBe('audio');
  expect(kindOf(file('video/webm; codecs=vp9', { duration_ms: 900, width: 640, height: 360 }))).toBe('video');
});

test('a picture is as large as it is, and no larger than its place', () => {
  expect(placeOf({ width: 200, height: 100 })).toEqual({ width: 200, height: 100 });
  expect(placeOf({ width: 4000, height: 3000 })).toEqual({ width: 400, height: 300 });
  expect(placeOf({ width: 1000, height: 2000 })).toEqual({ width: 150, height: 300 });
  expect(placeOf({ width: 10, height: 4000 })).toEqual({ width: 64, height: 300 });
  expect(placeOf({})).toEqual({ width: 400, height: 225 });
});

test('several pictures are a grid without a row of one, as far as that goes', () => {
  expect([2, 3, 4, 5, 6, 9, 10].map((n) => gridOf(n).columns)).toEqual([2, 3, 2, 3, 3, 3, 3]);
  expect(gridOf(4)).toEqual({ columns: 2, width: 320, height: 320 });
});

test('the height of files is known from their description', () => {
  const picture = file('image/png', { width: 400, height: 200 });
  expect(heightOf([])).toBe(0);
  expect(heightOf([picture])).toBe(206);
  expect(heightOf([picture, file('application/pdf')])).toBe(206 + 66);
  expect(layOut([file('application/pdf'), picture, picture]).places).toMatchObject([
    { width: 320, height: 160 },
    { height: 60 },
  ]);
});
