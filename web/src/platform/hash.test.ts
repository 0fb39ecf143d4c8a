import { createHash } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import { sha256 } from './hash';

afterEach(() => vi.unstubAllGlobals());

test.each([true, false])('the hash of a file, on a page that is trusted: %s', async (trusted) => {
  vi.stubGlobal('isSecureContext', trusted);
  for (const size of [0, 1, 55, 56, 63, 64, 65, 127, 128, 5000]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 37) % 251);
    expect(await sha256(new Blob([bytes]))).toBe(createHash('sha256').update(bytes).digest('hex'));
  }
});
