import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { draw, icons } from '../icons.mjs';

const at = (name: string) => new URL(`../public/${name}`, import.meta.url);

/** The size and the pixels of a file that icons.mjs has written. */
function read(name: string): { size: number; pixels: Buffer } {
  const file = readFileSync(at(name));
  const size = file.readUInt32BE(16);
  const length = file.readUInt32BE(33); // of the one part with pixels, after the signature and the head
  const rows = inflateSync(file.subarray(41, 41 + length));
  const row = size * 4 + 1; // with the filter, which is none
  const lines = Array.from({ length: size }, (_, i) => rows.subarray(i * row + 1, (i + 1) * row));
  return { size, pixels: Buffer.concat(lines) };
}

test.each(icons)('$file is drawn from icon.svg: else run npm run icons', (icon) => {
  const { size, pixels } = read(icon.file);
  expect(size).toBe(icon.size);
  const want = draw(icon);
  let most = 0; // processors round differently
  for (let i = 0; i < want.length; i++) most = Math.max(most, Math.abs((want[i] ?? 0) - (pixels[i] ?? 0)));
  expect(most).toBeLessThanOrEqual(1);
});

test('what systems cut to a circle has all of the figure in it, and nothing behind it', () => {
  const { size, pixels } = read('maskable-192.png');
  const ground = pixels.subarray(0, 4).toString('hex');
  expect(ground).toBe('0b6a9eff');
  let far = 0;
  for (let i = 0; i < size * size; i++) {
    if (pixels.subarray(i * 4, i * 4 + 4).toString('hex') === ground) continue;
    far = Math.max(far, Math.hypot((i % size) + 0.5 - size / 2, Math.floor(i / size) + 0.5 - size / 2));
  }
  expect(far).toBeLessThan(size * 0.4);
});

test('the badge is white and nothing else', () => {
  const { pixels } = read('badge.png');
  const all = Array.from({ length: pixels.length / 4 }, (_, i) => pixels.subarray(i * 4, i * 4 + 4));
  const shown = all.filter((p) => p[3]);
  expect(shown.length).toBeGreaterThan(500);
  expect(shown.every(([r, g, b]) => r === 255 && g === 255 && b === 255)).toBe(true);
});

test('the manifest names the icons that there are, and what can be shared', () => {
  interface Manifest {
    icons: { src: string; sizes: string; purpose: string }[];
    share_target: { action: string; params: { files: { name: string }[] } };
  }
  const manifest = JSON.parse(readFileSync(at('manifest.webmanifest'), 'utf8')) as Manifest;
  const named = manifest.icons.filter((i) => i.src.endsWith('.png')).map((i) => [i.src, i.sizes, i.purpose]);
  const drawn = icons.filter((i) => !i.badge);
  expect(named).toEqual(
    drawn.map((i) => [`/${i.file}`, `${i.size}x${i.size}`, i.maskable ? 'maskable' : 'any']),
  );
  expect(manifest.share_target).toMatchObject({ action: '/share', params: { files: [{ name: 'files' }] } });
});
