import { expect, test, vi } from 'vitest';
import { allTexts } from '../../testing/texts';
import type { App } from '../port';

vi.stubGlobal('location', new URL('http://localhost:9000/'));
const { adminPages, settingsPages } = await import('../route.svelte');
const { targetsOf } = await import('./targets');

test.each(['en', 'de'] as const)('each page that one can jump to has a name (%s)', (language) => {
  const texts = allTexts(language);
  const keys = [...settingsPages.map((p) => `action.settings-${p}`), ...adminPages.map((p) => `action.admin-${p}`)];
  expect(keys.filter((key) => !(key in texts))).toEqual([]);
});

test.each([
  ['admin', adminPages.length],
  ['user', 0],
  ['guest', 0],
])('who is %s of the server can jump to %i pages of its administration', (role, pages) => {
  const app = {
    me: { role },
    rooms: { list: [] },
    settings: {},
    arranged: { sections: [], favourites: { rooms: [] } },
  } as unknown as App;
  const found = targetsOf(app).filter((target) => target.id.startsWith('action/admin-'));
  expect(found).toHaveLength(pages);
});
