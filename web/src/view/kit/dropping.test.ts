import { expect, test, vi } from 'vitest';
import { Dropping } from './dropping.svelte';

const file = (name: string) => ({ kind: 'file', webkitGetAsEntry: () => null, getAsFile: () => new File([], name) });
const getAsFile = () => new File([], 'folder');
const folder = { kind: 'file', webkitGetAsEntry: () => ({ isDirectory: true }), getAsFile };
const word = { kind: 'string', webkitGetAsEntry: () => null, getAsFile: () => null };

/** A drag of something above the page. */
function drag(types: string[], items: object[] = []) {
  const e = { dataTransfer: { types, items, dropEffect: '' }, preventDefault: vi.fn() };
  return Object.assign(e as unknown as DragEvent, { kept: e.preventDefault, effect: () => e.dataTransfer.dropEffect });
}

test('files that are dropped are taken, folders and words are not', () => {
  const take = vi.fn();
  const d = new Dropping(() => true, take);
  const held = drag(['Files']);
  d.dragged(held);
  expect([d.over, held.effect()]).toEqual([true, 'copy']);
  const dropped = drag(['Files'], [file('a.png'), folder, word]);
  d.dropped(dropped);
  expect(d.over).toBe(false);
  expect(dropped.kept).toHaveBeenCalled();
  expect(take).toHaveBeenCalledTimes(1);
  const [files, folders] = take.mock.calls[0] as [File[], boolean];
  expect([files.map((f) => f.name), folders]).toEqual([['a.png'], true]);
});

test('a word that is dropped is left to the field below', () => {
  const take = vi.fn();
  const d = new Dropping(() => true, take);
  for (const e of [drag(['text/plain']), drag(['text/plain'], [word])]) {
    d.dragged(e);
    d.dropped(e);
    expect(e.kept).not.toHaveBeenCalled();
  }
  expect([d.over, take.mock.calls]).toEqual([false, []]);
});

test('where no files may come the browser does not open them either', () => {
  const d = new Dropping(
    () => false,
    () => {},
  );
  const held = drag(['Files']);
  d.dragged(held);
  expect([d.over, held.effect()]).toEqual([false, 'none']);
  expect(held.kept).toHaveBeenCalled();
  const dropped = drag(['Files'], [file('a.png')]);
  d.dropped(dropped);
  expect(dropped.kept).toHaveBeenCalled();
});

test('files stay held while the pointer goes from one element to the next', () => {
  vi.useFakeTimers();
  const d = new Dropping(
    () => true,
    () => {},
  );
  d.dragged(drag(['Files']));
  d.left();
  d.dragged(drag(['Files']));
  vi.advanceTimersByTime(1000);
  expect(d.over).toBe(true);
  d.left();
  vi.advanceTimersByTime(1000);
  expect(d.over).toBe(false);
  vi.useRealTimers();
});
