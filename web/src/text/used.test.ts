import { expect, test } from 'vitest';
import en from './en.json';

const files = import.meta.glob(['../**/*.{ts,svelte}', '!../**/*.test.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
});
const source = Object.values(files).join('\n');
// What a template adds to: `role.${role}`.
const starts = [...source.matchAll(/`([a-z][\w-]*\.[\w.-]*)\$\{/g)].map((m) => m[1]!);

test('every text is used', () => {
  const unused = Object.keys(en).filter((key) => {
    const name = key.replace(/_(one|other)$/, '');
    return (
      !new RegExp(`['"\`]${name.replaceAll('.', '\\.')}['"\`]`).test(source) && !starts.some((s) => name.startsWith(s))
    );
  });
  expect(unused).toEqual([]);
});
