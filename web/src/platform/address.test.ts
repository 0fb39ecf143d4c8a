import { expect, test } from 'vitest';
import { rightAddress } from './address';

const server = 'https://chat.example.org';

test.each([
  ['http://chat.example.org/', 'https://chat.example.org/'],
  ['http://192.168.1.7:9000/register#invite=abc', 'https://chat.example.org/register#invite=abc'],
  ['http://nas.local/rooms/room_1?panel=members', 'https://chat.example.org/rooms/room_1?panel=members'],
  ['http://127.evil.example/', 'https://chat.example.org/'],
  ['http://host//evil.example/x', 'https://chat.example.org//evil.example/x'],
  ['https://chat.example.org/', undefined],
  ['https://other.example.org/', undefined],
  ['http://localhost:9000/', undefined],
  ['http://127.0.0.1:9000/', undefined],
  ['http://[::1]:9000/', undefined],
])('%s works at %s', (page, right) => {
  expect(rightAddress(server, new URL(page))).toBe(right);
});

test('a server that is reached by http works everywhere', () => {
  expect(rightAddress('http://localhost:9000', new URL('http://192.168.1.7:9000/'))).toBeUndefined();
  expect(rightAddress(undefined, new URL('http://192.168.1.7:9000/'))).toBeUndefined();
});
