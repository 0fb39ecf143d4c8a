// Reads the client's own sources, for tests of what must hold in all of them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export interface Source {
  name: string;
  text: string;
}

const root = join(import.meta.dirname, '..');

/** Every source of the client but its tests. */
export function sources(): Source[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|svelte)$/.test(name) && !name.includes('.test.') && !name.startsWith('testing'))
    .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));
}

/** The pieces of TypeScript in a source: of a component its scripts, and what stands in braces. */
export function scripts({ name, text }: Source): string[] {
  if (name.endsWith('.ts')) return [text];
  const inScript = [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((m) => m[1] ?? '');
  const markup = text.replace(/<(script|style)[^>]*>[\s\S]*?<\/\1>/g, '');
  const inBraces = [...markup.matchAll(/\{(?:@\w+ |#\w+ |:else if )?([^{}#/@:][^{}]*(?:\{[^{}]*\}[^{}]*)*)\}/g)].map(
    (m) => `(${m[1] ?? ''})`,
  );
  return [...inScript, ...inBraces];
}

/** The regular expressions that are written in a piece of TypeScript. */
export function expressions(script: string): RegExp[] {
  const found: RegExp[] = [];
  const visit = (n: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(n)) {
      const end = n.text.lastIndexOf('/');
      found.push(new RegExp(n.text.slice(1, end), n.text.slice(end + 1)));
    }
    ts.forEachChild(n, visit);
  };
  visit(ts.createSourceFile('x.ts', script, ts.ScriptTarget.Latest));
  return found;
}
