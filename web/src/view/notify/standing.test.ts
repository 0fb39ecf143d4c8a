import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { standingOf, thisBrowser, type Browser } from './standing';

const fit: Browser = { permission: 'default', pushes: false, secure: true, apple: false, installed: false };

test.each<[Partial<Browser>, string]>([
  [{}, 'off'],
  [{ permission: 'off' }, 'off'],
  [{ permission: 'on' }, 'open'],
  [{ permission: 'on', pushes: true }, 'always'],
  [{ permission: 'denied' }, 'denied'],
  [{ permission: 'denied', secure: false }, 'insecure'],
  [{ permission: 'unsupported', secure: false }, 'insecure'],
  [{ permission: 'unsupported' }, 'unsupported'],
  [{ permission: 'unsupported', apple: true }, 'install'],
  [{ permission: 'unsupported', apple: true, installed: true }, 'unsupported'],
  [{ permission: 'default', apple: true, installed: true }, 'off'],
])('a browser that is %o stands at %s', (b, standing) => {
  expect(standingOf({ ...fit, ...b })).toBe(standing);
});

beforeEach(() => {
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('matchMedia', () => ({ matches: false }));
});

afterEach(() => void vi.unstubAllGlobals());

test.each([
  ['iPhone', 5, true],
  ['iPad', 5, true],
  ['MacIntel', 5, true],
  ['MacIntel', 0, false],
  ['Linux armv81', 5, false],
])('%s with %d fingers is one of Apple’s to touch: %s', (platform, maxTouchPoints, apple) => {
  expect(thisBrowser({ platform, maxTouchPoints })).toEqual({ secure: true, apple, installed: false });
});
