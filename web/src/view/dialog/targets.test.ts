import { expect, test, vi } from 'vitest';
import { allTexts } from '../../testing/texts';
import type { App } from '../port';
import type { Word } from '../room/words';
import type { RoomState } from '../types';

vi.stubGlobal('location', new URL('http://localhost:9000/rooms/r'));
const { adminPages, settingsPages } = await import('../route.svelte');
const { targetsOf } = await import('./targets');
const { least } = await import('../permit');
const { words } = await import('../room/words');

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

/** What the palette finds in a room that is open. */
function inRoom(role: string, more: Partial<RoomState> = {}): string[] {
  const room = { id: 'r', kind: 'private', name: 'Tea', role, unread: 0, head: 1, read: 1, last_at: '', ...more };
  const app = {
    me: { role: 'user' },
    rooms: { list: [room] },
    people: { presence: () => undefined },
    settings: {},
    muted: new Set(),
    arranged: { sections: [], favourites: { rooms: [] } },
  } as unknown as App;
  return targetsOf(app).map((target) => target.id.replace('action/', ''));
}

// Of each word and each right it is said here where the palette has it. '' are those that need a text or a person,
// which one gives where one writes or at the person, or a message.
test('the palette has what slash commands do', () => {
  const has: Record<Word, string> = {
    me: '',
    shrug: '',
    poll: '', // it is among what is added to a message
    topic: 'topic',
    invite: 'add-people',
    join: 'browse',
    leave: 'leave',
    mute: 'mute',
    unmute: 'mute',
    remind: 'remind',
  };
  const found = inRoom('owner');
  expect(words.map((w) => has[w.word]).filter((id) => id && !found.includes(id))).toEqual([]);
});

test('the palette has what roles allow in a room, and nothing else', () => {
  const has: Record<keyof typeof least, string> = {
    deleteAny: '',
    screening: 'details',
    invites: 'invite',
    kick: '',
    mute: '',
    ban: '',
    mentionRoom: '',
    pin: 'pins',
    update: 'topic',
    hooks: 'hooks',
    previews: 'details',
    history: 'details',
    visibility: 'details',
    archive: 'archive',
    setRole: 'members',
    handOver: 'members',
    retention: 'details',
    remove: 'details',
  };
  expect(Object.values(has).filter((id) => id && !inRoom('owner').includes(id))).toEqual([]);
  const guarded = ['invite', 'topic', 'hooks', 'archive', 'reopen'];
  expect(inRoom('member').filter((id) => guarded.includes(id))).toEqual([]);
  expect(inRoom('owner', { archived: true }).filter((id) => guarded.includes(id))).toEqual(['reopen']);
});
