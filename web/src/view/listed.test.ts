import { expect, test } from 'vitest';
import { listed } from './listed';

test('a page that shifted repeats nothing', () => {
  const one = (id: string) => ({ id });
  const got = listed([one('a'), one('b')], [one('b'), one('c'), one('c')], (o) => o.id);
  expect(got.map((o) => o.id)).toEqual(['a', 'b', 'c']);
});
