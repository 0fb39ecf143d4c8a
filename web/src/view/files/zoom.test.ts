import { expect, test } from 'vitest';
import { fit, pan, whole, zoom, type Sizes } from './zoom';

const s: Sizes = { screen: { width: 1000, height: 500 }, picture: { width: 800, height: 400 } };

test('a picture is as large as it is, or as the screen allows', () => {
  expect(fit({ width: 200, height: 100 }, s.screen)).toEqual({ width: 200, height: 100 });
  expect(fit({ width: 4000, height: 1000 }, s.screen)).toEqual({ width: 1000, height: 250 });
  expect(fit({}, s.screen)).toEqual(s.screen);
});

test('the point under the finger stays where it is', () => {
  const v = zoom(whole, 4, 100, 50, s);
  // What is seen at x was at (x - v.x) / scale of the picture's middle.
  expect([(100 - v.x) / v.scale, (50 - v.y) / v.scale]).toEqual([100, 50]);
});

test('nothing is smaller than the whole, or larger than eight times', () => {
  expect(zoom(whole, 0.5, 0, 0, s)).toEqual(whole);
  expect(zoom(whole, 100, 0, 0, s).scale).toBe(8);
});

test('a picture leaves no gap at the edge of the screen', () => {
  const v = zoom(whole, 2, 0, 0, s);
  expect(pan(v, 5000, -5000, s)).toEqual({ scale: 2, x: 300, y: -150 });
  expect(pan(whole, 50, 50, s)).toEqual(whole);
  expect(zoom(pan(v, 5000, 0, s), 0.5, 0, 0, s)).toEqual(whole);
});
