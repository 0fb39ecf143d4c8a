import { readdirSync, readFileSync } from 'node:fs';
import { render } from 'svelte/server';
import { describe, expect, test } from 'vitest';
import Passphrase from './Passphrase.svelte';

describe('CHK-PW-10: password managers and people who paste are welcome', () => {
  test('a passphrase is hidden, named for managers, and can be shown', () => {
    for (const fresh of [false, true]) {
      const { body } = render(Passphrase, { props: { value: '', fresh } });
      expect(body).toContain('type="password"');
      expect(body).toContain(`autocomplete="${fresh ? 'new-password' : 'current-password'}"`);
      expect(body).toContain('aria-pressed="false"');
      expect(body).not.toContain('maxlength');
    }
  });

  test('codes are asked for as such, and nothing refuses a paste', () => {
    const views = new URL('..', import.meta.url);
    const sources = readdirSync(views, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.svelte'))
      .map((name) => readFileSync(new URL(name, views), 'utf8'));
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.filter((s) => s.includes("one-time-code")).length).toBeGreaterThanOrEqual(3);
    for (const s of sources) {
      if (s.includes('type="password"') || s.includes("'password'")) expect(s).not.toMatch(/onpaste/i);
    }
  });
});
