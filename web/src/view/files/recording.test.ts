import { expect, test } from 'vitest';
import { fileOf, levelOf } from './recording';

test('the level of sound is as loud as ears take it', () => {
  const tone = (loud: number) => Float32Array.from({ length: 1024 }, (_, i) => loud * Math.sin(i / 3));
  expect(levelOf(tone(0))).toBe(0);
  expect(levelOf(tone(0.0005))).toBe(0); // below -60 dB
  expect(levelOf(tone(0.01))).toBeCloseTo(0.28, 1);
  expect(levelOf(tone(0.1))).toBeCloseTo(0.62, 1);
  expect(levelOf(new Float32Array([1, -1]))).toBe(1);
  expect(levelOf(new Float32Array())).toBe(0);
});

test('a recording is a file with a name and a type', () => {
  const sound = new Blob(['x'], { type: 'audio/webm;codecs=opus' });
  const file = fileOf(sound, 'Voice message', new Date(2026, 10, 8, 9, 5));
  expect([file.name, file.type]).toEqual(['Voice message 2026-11-08 09.05.webm', 'audio/webm']);
});
