import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
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
