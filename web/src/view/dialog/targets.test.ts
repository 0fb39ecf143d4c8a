import { expect, test, vi } from 'vitest';
import { allTexts } from '../../testing/texts';

vi.stubGlobal('location', new URL('http://localhost:9000/'));
const { adminPages, settingsPages } = await import('../route.svelte');

test.each(['en', 'de'] as const)('each page that one can jump to has a name (%s)', (language) => {
  const texts = allTexts(language);
  const keys = [...settingsPages.map((p) => `action.settings-${p}`), ...adminPages.map((p) => `action.admin-${p}`)];
  expect(keys.filter((key) => !(key in texts))).toEqual([]);
});
