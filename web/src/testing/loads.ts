// What the client loads at first and what later, as its sources say it.
import { posix } from 'node:path';
import { sources } from './sources';

/** A source that is imported when it is needed, and what comes with it. */
export interface Later {
  name: string;
  /** the parts of the texts that all its imports name */
  parts: Set<string>;
  /** the sources that it has and the first load has not */
  files: Set<string>;
}

const all = new Map(sources().map((s) => [s.name.replaceAll('\\', '/'), s.text]));

const importing = /(?:^|\n)\s*(?:import|export)\s+(?!type\b)(?:[^;'"]*?\bfrom\s+)?'(\.[^']+)'/g;
const later = /(withTexts\(\s*)?import\('(\.[^']+)'\)([^)]*)/g;

function resolve(from: string, path: string): string | undefined {
  const to = posix.join(posix.dirname(from), path);
  return [to, `${to}.ts`, `${to}.svelte`].find((name) => all.has(name));
}

/** A source with all that it imports at once. */
function closure(root: string): Set<string> {
  const found = new Set([root]);
  for (const name of found)
    for (const [, path = ''] of (all.get(name) ?? '').matchAll(importing)) {
      const to = resolve(name, path);
      if (to) found.add(to);
    }
  return found;
}

/** The sources of the first load. */
export const first: ReadonlySet<string> = closure('main.ts');

/** The parts of the texts that the first load fetches by itself, once the page is there. */
export const soon: ReadonlySet<string> = new Set(
  [...first].flatMap((name) =>
    [...(all.get(name) ?? '').matchAll(/language\.add\(\['([^']+)'\]\)/g)].map(([, part = '']) => part),
  ),
);

/** All that is imported later. */
export function laters(): Later[] {
  const found = new Map<string, Later>();
  for (const [from, text] of all)
    for (const [, withTexts, path = '', rest = ''] of text.matchAll(later)) {
      const name = resolve(from, path);
      if (!name || first.has(name)) continue;
      const parts = new Set(withTexts ? [...rest.matchAll(/'([^']+)'/g)].map((m) => m[1] ?? '') : []);
      const known = found.get(name);
      if (known) known.parts = new Set([...known.parts].filter((p) => parts.has(p)));
      else found.set(name, { name, parts, files: new Set([...closure(name)].filter((f) => !first.has(f))) });
    }
  return [...found.values()];
}

/** Which of these keys the sources name, whole or by how they begin: `role.${role}`. */
export function keysIn(files: Iterable<string>, keys: readonly string[]): string[] {
  const source = [...files].map((name) => all.get(name) ?? '').join('\n');
  const literals = new Set([...source.matchAll(/(['"`])([a-z][\w.-]*)\1/g)].map((m) => m[2]));
  const starts = [...source.matchAll(/`([a-z][\w-]*\.[\w.-]*)\$\{/g)].map((m) => m[1] ?? '');
  return keys.filter((key) => literals.has(key) || starts.some((s) => key.startsWith(s)));
}

/** The names of all sources. */
export const names: readonly string[] = [...all.keys()];
