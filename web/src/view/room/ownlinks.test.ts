import { expect, test, vi } from 'vitest';
import { inline } from './inline';

vi.stubGlobal('location', new URL('http://localhost:9000/'));
const { linkTo, messageAt, placeAt } = await import('./ownlinks');
const here = 'https://chat.example.org';

test('the first message that a text links to is found', () => {
  expect(messageAt(`see ${here}/rooms/room_0a1b/23, and ${here}/rooms/room_9/1`, here)).toEqual({
    room: 'room_0a1b',
    seq: 23,
  });
  expect(messageAt(`[#Team](${here}/rooms/room_0a1b) and <${here}/rooms/room_9/7?thread=3>`, here)).toEqual({
    room: 'room_9',
    seq: 7,
  });
  for (const text of [
    'nothing',
    `${here}/rooms/room_0a1b`,
    `${here}/rooms/room_0a1b/2026-05-01`,
    `${here}/rooms/room_0a1b/23/more`,
    'https://elsewhere.example.org/rooms/room_0a1b/23',
    `${here}.evil.example/rooms/room_0a1b/23`,
  ])
    expect(messageAt(text, here), text).toBe(undefined);
});

test('a place of this server is one in the same page, and nothing else is', () => {
  expect(placeAt(`${here}/rooms/room_0a1b/23?thread=3`, here)).toMatchObject({ page: 'room', seq: 23, thread: 3 });
  expect(placeAt(`${here}/rooms/room_0a1b`, here)).toMatchObject({ page: 'room', room: 'room_0a1b' });
  for (const address of [
    `${here}/`,
    `${here}/settings/account`,
    `${here}/rooms/room_0a1b#write=words`,
    `${here}/rooms/a/b/c/d`,
    'https://elsewhere.example.org/rooms/room_0a1b/23',
    'mailto:ann@example.org',
  ])
    expect(placeAt(address, here), address).toBe(undefined);
});

test('a link to a room shows its name, whatever is in that', () => {
  for (const name of ['Team', 'a_b_c', '**[x](y)', 'C# | <b> @ann `x` \\~~'])
    expect(inline(linkTo(name, `${here}/rooms/room_0a1b`)), name).toEqual([
      { type: 'link', href: `${here}/rooms/room_0a1b`, host: '', children: [{ type: 'text', text: `#${name}` }] },
    ]);
});
