import { expect, it } from 'vitest';
import { pictureOf, speakerOf } from './speaker';
import type { User } from './types';

const hook: User = { id: 'hok_1', kind: 'bot', username: 'hok_1', display_name: 'Alerts', avatar: '/a' };

it('tells the name that a webhook chose with its own', () => {
  expect(speakerOf({ sender: hook })).toBe('Alerts');
  expect(speakerOf({ sender: hook, face: { emoji: '🔥' } })).toBe('Alerts');
  expect(speakerOf({ sender: hook, face: { name: 'Grafana' } })).toBe('Grafana (Alerts)');
});

it('shows what a webhook chose in place of its picture', () => {
  expect(pictureOf({ sender: hook })).toMatchObject({ name: 'Alerts', src: '/a', square: true });
  expect(pictureOf({ sender: hook, face: { name: 'Grafana' } })).toMatchObject({ name: 'Grafana', src: '/a' });
  expect(pictureOf({ sender: hook, face: { emoji: '🔥' } })).toMatchObject({ src: undefined, emoji: '🔥' });
  expect(pictureOf({ sender: hook, face: { picture: '/p' } })).toMatchObject({ src: '/p' });
});
