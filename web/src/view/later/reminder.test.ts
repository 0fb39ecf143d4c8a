import { expect, test } from 'vitest';
import type { Message } from '../types';
import { wordsOf } from './reminder';

const app = { people: { blocked: (user: string) => user === 'usr_bob' } };
const says = (sender: string, text: string, files?: string[]) => {
  const message = { sender: { id: sender }, text, ...(files && { files: files.map((name) => ({ name })) }) };
  return wordsOf(app, { id: 'rmd_1', message: message as Message });
};

test('a reminder says its text, or what its message does, also one of files alone', () => {
  expect(wordsOf(app, { id: 'rmd_1', text: 'tea' })).toBe('tea');
  expect(says('usr_ann', '**tea**?')).toBe('tea?');
  expect(says('usr_ann', '', ['plan.pdf'])).toBe('plan.pdf');
});

test('what a blocked person wrote is not told', () => {
  expect(says('usr_bob', 'it is me', ['me.png'])).toBe('Message from a blocked person');
});
