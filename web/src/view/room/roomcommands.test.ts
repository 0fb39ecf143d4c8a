import { beforeEach, expect, test, vi } from 'vitest';
import type { App } from '../port';
import { language } from '../../text/language.svelte';
import type { RoomState } from '../types';
import { overlay } from '../ui.svelte';
import { carryOut } from './roomcommands';
import { typedAs } from './sending';
import { isCommand, words } from './words';

vi.mock('../route.svelte', () => ({ router: { go: () => {} } }));

const room = { id: 'room_1', kind: 'public', name: 'Tea', role: 'owner' } as RoomState;
const api = {
  updateRoom: vi.fn(),
  user: vi.fn(async () => ({ id: 'usr_ben', display_name: 'Ben' })),
  addMember: vi.fn(async () => false),
  leaveRoom: vi.fn(),
};
const later = { remind: vi.fn(async () => ({ id: 'rmd_1', at: '2026-12-24T17:00:00Z' })), remove: vi.fn() };
const slash = {
  commands: vi.fn(async () => [{ id: 'sls_1', name: 'deploy' }, { id: 'sls_2', name: 'old', off: 'admin' }]),
  run: vi.fn(),
};
const app = {
  api,
  rooms: { list: [] },
  fleet: { inRoom: async () => [] },
  personal: async () => ({ later, slash }),
} as unknown as App;

/** Types a text, and returns what is to be sent and what is left in the box. */
async function type(text: string, where = room) {
  const into = { draft: text };
  return { saying: await carryOut({ app, room: where, into, text }), left: into.draft };
}

const said = () => overlay.toasts.at(-1)?.text;

beforeEach(async () => {
  vi.clearAllMocks();
  overlay.toasts = [];
  await language.add(['typed', 'device']);
});

test('a command begins with a slash and a word, a path has another slash', () => {
  expect(['/me waves', '/topic', '/fan on', '/Ärger'].map(isCommand)).toEqual([true, true, true, true]);
  expect(['me', '/', '//me', '/etc/hosts is wrong', '/ me', '/-x'].map(isCommand)).toEqual(Array(6).fill(false));
});

test('what one does is a message of its own kind, and two slashes are one', async () => {
  expect(await type('/me waves')).toMatchObject({ saying: { say: 'waves', type: 'text/vnd.unhidra.action' } });
  expect(await type('/ME  waves\nand bows')).toMatchObject({ saying: { say: 'waves\nand bows' } });
  expect(await type('/shrug')).toMatchObject({ saying: { say: '¯\\\\\\_(ツ)\\_/¯' } });
  expect((await type('//me waves')).saying).toEqual({ say: '/me waves' });
  expect((await type('/etc/hosts')).saying).toEqual({ say: '/etc/hosts' });
});

test('an unknown command says how to send the text, which stays', async () => {
  expect(await type('/dance')).toEqual({ saying: undefined, left: '/dance' });
  expect(said()).toContain('//dance');
  expect(await type('/me')).toEqual({ saying: undefined, left: '/me' });
  expect(said()).toContain('/me TEXT');
});

test('a program is asked by a command of the room; the text stays if it fails, or is off', async () => {
  expect((await type('/Deploy api')).left).toBe('');
  expect(slash.run).toHaveBeenCalledWith('room_1', 'deploy', 'api', undefined);
  slash.run.mockRejectedValueOnce(new Error('the receiver does not answer in time'));
  expect((await type('/deploy api')).left).toBe('/deploy api');
  expect(overlay.toasts.at(-1)?.bad).toBe(true);
  expect((await type('/old')).left).toBe('/old');
  expect(said()).toBe('/old is switched off. An admin of this room can switch it on.');
  expect(slash.run).toHaveBeenCalledTimes(2);
});

test('commands do what the menus do', async () => {
  expect((await type('/topic Tea at four')).left).toBe('');
  expect(api.updateRoom).toHaveBeenCalledWith('room_1', { topic: 'Tea at four' });
  expect((await type('/invite @ben')).left).toBe('');
  expect(api.user).toHaveBeenCalledWith('ben');
  expect(api.addMember).toHaveBeenCalledWith('room_1', 'usr_ben');
  expect(said()).toBe('Request sent. Ben joins once they accept.');
  expect((await type('/topic ')).left).toBe(''); // as the list of commands leaves it
  await type('/leave');
  expect(overlay.dialog?.name).toBe('confirm');
  expect(api.leaveRoom).not.toHaveBeenCalled();
});

test('what the server refuses stays, as does what a conversation has not', async () => {
  api.user.mockRejectedValueOnce(new Error('there is nobody of this name'));
  expect((await type('/invite nobody')).left).toBe('/invite nobody');
  expect(overlay.toasts.at(-1)?.bad).toBe(true);
  expect((await type('/topic Tea', { ...room, kind: 'direct' })).left).toBe('/topic Tea');
  expect(api.updateRoom).not.toHaveBeenCalled();
});

test('one is reminded as one types it, and can take it back', async () => {
  expect((await type('/remind me tomorrow at 9 that it is *late*')).left).toBe('');
  const tomorrow = new Date();
  tomorrow.setDate(tomorrow.getDate() + 1);
  tomorrow.setHours(9, 0, 0, 0);
  expect(later.remind).toHaveBeenLastCalledWith({ text: 'it is *late*' }, { at: tomorrow });
  expect(said()).toMatch(/^I’ll remind you: it is \*late\* \(Dec 2[45], 2026/u);
  later.remove.mockResolvedValueOnce(undefined);
  overlay.toasts.at(-1)?.action?.run();
  expect(later.remove).toHaveBeenCalledWith('rmd_1');
  const { timeZone: zone } = Intl.DateTimeFormat().resolvedOptions();
  const repeat = { zone, time: '09:30', weekdays: [1, 2, 3, 4, 5] };
  await type('/remind every weekday at 9:30 standup');
  expect(later.remind).toHaveBeenLastCalledWith({ text: 'standup' }, { repeat });
});

test('a time that is not understood gets an example, and the text stays', async () => {
  for (const text of ['/remind', '/remind tea', '/remind in 2h', '/remind 2001-01-01 tea']) {
    expect((await type(text)).left).toBe(text);
    expect(said()).toContain('/remind ');
  }
  expect(later.remind).not.toHaveBeenCalled();
});

test('what was refused goes back to the box as it was typed', async () => {
  for (const text of ['/me waves', '//x', '/etc/hosts', 'hello']) {
    const { say = '', type: content_type } = (await type(text)).saying ?? {};
    const back = typedAs({ text: say, ...(content_type && { content_type }) });
    expect((await type(back)).saying).toEqual((await type(text)).saying);
  }
});

test('every command has a help, and those that take something say what', () => {
  for (const { word, takes } of words) {
    expect(language.say(`typed.help-${word}`, {})).not.toContain('typed.');
    if (takes) expect(language.say(`typed.args-${takes}`, {})).not.toContain('typed.');
  }
});
