import { expect, test, vi } from 'vitest';
import type { App } from '../port';
import { Attaching } from './attaching.svelte';

/** Attachments whose code is loaded when loaded is called. */
function slow() {
  const items: File[] = [];
  const sent = vi.fn();
  const attachments = { items, add: (files: File[]) => (items.push(...files), 0), send: sent };
  let loaded: (files: object) => void = () => {};
  let failed: (err: Error) => void = () => {};
  const files = () =>
    new Promise((done, fail) => {
      loaded = () => done({ attachments: () => attachments });
      failed = fail;
    });
  const attaching = new Attaching({ files, uploads: false } as unknown as App, 'room_1', () => true);
  return { attaching, sent, load: () => loaded({}), fail: () => failed(new Error('away')) };
}

const recipe = new File(['one spoon'], 'recipe.txt');
const settled = () => new Promise((done) => setTimeout(done));

test('a message that is sent just after a file was pasted waits for it', async () => {
  const { attaching, sent, load } = slow();
  const say = vi.fn();
  void attaching.add([recipe]);
  void attaching.send(undefined, say);
  await settled();
  expect(sent).not.toHaveBeenCalled();
  load();
  await settled();
  expect(sent).toHaveBeenCalledTimes(1);
  expect(say).not.toHaveBeenCalled();
});

test('nothing is sent without its file where what uploads cannot be loaded', async () => {
  const { attaching, sent, fail } = slow();
  const say = vi.fn();
  void attaching.add([recipe]);
  void attaching.send(undefined, say);
  fail();
  await settled();
  expect(sent).not.toHaveBeenCalled();
  expect(say).not.toHaveBeenCalled();
  void attaching.send(undefined, say);
  expect(say).toHaveBeenCalledTimes(1); // somebody who sends again means the text alone
});

test('a message without files is sent at once', () => {
  const say = vi.fn();
  void slow().attaching.send(undefined, say);
  expect(say).toHaveBeenCalledTimes(1);
});
