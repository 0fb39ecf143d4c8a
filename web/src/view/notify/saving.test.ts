import { expect, test } from 'vitest';
import { Saving } from './saving.svelte';

test('what is saved is said, and why it is not', async () => {
  const saving = new Saving();
  const first = saving.run(Promise.resolve());
  expect(saving.state).toBe('saving');
  expect(await first).toBe(true);
  expect(saving.state).toBe('saved');
  expect(await saving.run(Promise.reject(Object.assign(new Error(), { detail: 'that is too long' })))).toBe(false);
  expect(saving).toMatchObject({ state: '', reason: 'That is too long.' });
});

test('what was refused is said although something else was saved since', async () => {
  const saving = new Saving();
  let refuse: (err: unknown) => void = () => undefined;
  const first = saving.run(new Promise((_, no) => (refuse = no)));
  await saving.run(Promise.resolve());
  refuse(Object.assign(new Error(), { detail: 'no' }));
  await first;
  expect(saving).toMatchObject({ state: 'saved', reason: 'No.' });
});
