import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const dist = new URL('../dist/', import.meta.url);
const html = readFileSync(new URL('index.html', dist), 'utf8');
const size = (path: string) => gzipSync(readFileSync(new URL(path, dist)), { level: 9 }).length;
const linked = (kind: RegExp) => [...html.matchAll(kind)].map((m) => (m[1] ?? '').replace(/^\//, ''));

test('the first load keeps to its budget', () => {
  const js = linked(/(?:src|href)="([^"]+\.js)"/g);
  const css = linked(/href="([^"]+\.css)"/g);
  expect(js.length).toBeGreaterThan(0);
  expect(css.length).toBeGreaterThan(0);
  expect(js.map(size).reduce((a, b) => a + b)).toBeLessThan(110_000);
  expect(css.map(size).reduce((a, b) => a + b)).toBeLessThan(20_000);
});

test('no script stands in the page itself', () => {
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
  expect(readdirSync(new URL('assets/', dist)).length).toBeGreaterThan(1);
});
