import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { offline } from './offline.ts';

/** Names in the service worker the files of this version, which it keeps. */
function shell(): Plugin {
  const files = new Set(['/badge.png', '/favicon.svg', '/icon-192.png', '/icon.svg', '/manifest.webmanifest']);
  let entry = '';
  let dist = '';
  return {
    name: 'shell',
    apply: 'build',
    configResolved: ({ root, build }) => void (dist = `${root}/${build.outDir}/`),
    generateBundle(_, bundle) {
      const add = (name: string) => {
        const chunk = bundle[name];
        if (chunk?.type !== 'chunk' || files.has(`/${name}`)) return;
        files.add(`/${name}`);
        for (const css of chunk.viteMetadata?.importedCss ?? []) files.add(`/${css}`);
        chunk.imports.forEach(add); // whatever they are: it needs them
      };
      for (const [name, chunk] of Object.entries(bundle)) {
        if (chunk.type !== 'chunk') continue;
        if (chunk.isEntry) entry = `/${name}`;
        if (chunk.isEntry || offline.test(chunk.facadeModuleId ?? '')) add(name);
      }
    },
    closeBundle() {
      const names = [...files].sort();
      const hash = createHash('sha256').update(names.join('\n')).update(readFileSync(`${dist}index.html`));
      const version = hash.digest('hex').slice(0, 16);
      const worker = readFileSync(`${dist}sw.js`, 'utf8');
      const named = `const shell = ${JSON.stringify({ version, entry, files: names })};`;
      writeFileSync(`${dist}sw.js`, worker.replace(/^const shell = .*$/m, () => named));
    },
  };
}

export default defineConfig({
  plugins: [svelte(), shell()],
  build: {
    target: 'es2022',
    // The server refuses inline scripts and data: scripts.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  // For work on the client: a server of one's own on port 9000.
  server: { proxy: { '/api': 'http://localhost:9000', '/ws': { target: 'ws://localhost:9000', ws: true } } },
  // A machine that is busy with something else takes more than the usual five seconds for some.
  test: { testTimeout: 30_000 },
});
