import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { offline, parts } from '../offline';
import { laters } from './testing/loads';

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

test('the service worker names the files that a browser keeps: they are there, and not too many', () => {
  const worker = readFileSync(new URL('sw.js', dist), 'utf8');
  const named = /^const shell = (.*);$/m.exec(worker)?.[1] ?? '';
  const { version, entry, files } = JSON.parse(named) as { version: string; entry: string; files: string[] };
  expect(version).toMatch(/^[0-9a-f]{16}$/);
  expect(html).toContain(entry);
  for (const path of [...linked(/(?:src|href)="([^"]+\.js)"/g), ...linked(/href="([^"]+\.css)"/g)])
    expect(files).toContain(`/${path}`);
  expect(files.filter((path) => /\/(?:AdminPage|Firmware|Devices|SetUp|flash|SettingsPage)-/.test(path))).toEqual([]);
  expect(files.map((path) => size(path.slice(1))).reduce((a, b) => a + b)).toBeLessThan(265_000);
});

test('what a browser keeps has its texts', () => {
  const kept = laters().filter((l) => offline.test(`/src/${l.name}`));
  expect(kept.length).toBeGreaterThan(20);
  for (const l of kept) expect([l.name, ...[...l.parts].filter((part) => !parts.includes(part))]).toEqual([l.name]);
});
