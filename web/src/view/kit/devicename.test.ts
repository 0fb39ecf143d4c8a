import { afterEach, expect, test, vi } from 'vitest';
import { language } from '../../text/language.svelte';
import { deviceName } from './devicename';

afterEach(async () => {
  await language.use('en');
  vi.unstubAllGlobals();
});

test('a browser is named in the language of the page', async () => {
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('document', { documentElement: {} });
  expect(deviceName('Firefox on Linux')).toBe('Firefox on Linux');
  await language.use('de');
  expect(deviceName('Firefox on Linux')).toBe('Firefox unter Linux');
  expect(deviceName('A program')).toBe('Ein Programm');
  expect(deviceName('A program on macOS')).toBe('Ein Programm unter macOS');
  expect(deviceName('curl')).toBe('curl');
});
