import { expect, it } from 'vitest';
import { scripts, sources } from '../../testing/sources';
import { keyOf, placeOf } from './keys';

const event = (e: Partial<KeyboardEvent>) => e as KeyboardEvent;

it('leaves Enter to an input method', () => {
  expect(keyOf(event({ key: 'Enter', keyCode: 13, isComposing: false }))).toBe('Enter');
  expect(keyOf(event({ key: 'Enter', keyCode: 13, isComposing: true }))).toBe('Process');
  expect(keyOf(event({ key: 'Enter', keyCode: 229, isComposing: false }))).toBe('Process');
});

it('leaves the place of a key to an input method, too', () => {
  expect(placeOf(event({ key: 'ï', code: 'KeyF', keyCode: 70, isComposing: false }))).toBe('KeyF');
  expect(placeOf(event({ key: 'f', code: 'KeyF', keyCode: 70, isComposing: true }))).toBe('');
});

it('is asked wherever the client listens to keys', () => {
  const raw = sources().filter(({ name }) => name.startsWith('view/') && name !== 'view/kit/keys.ts');
  const found = raw.flatMap((s) =>
    scripts(s).flatMap((code) =>
      [...code.matchAll(/\b(?:e|ev|event)\.(?:key|code|keyCode|isComposing)\b/g)].map((m) => `${s.name}: ${m[0]}`),
    ),
  );
  expect(found).toEqual([]);
});
