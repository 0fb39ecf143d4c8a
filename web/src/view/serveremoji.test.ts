import { expect, test, vi } from 'vitest';
import { nameEnd, nameIn, nameOfFile, replaceNames, type EmojiList } from './emojiport';
import { serverEmoji } from './serveremoji.svelte';

const list = (...names: string[]): EmojiList => ({
  items: names.map((name) => ({ name, picture: `/p/${name}`, created_at: '' })),
  may_add: true,
});

test('names stand between colons', () => {
  expect(nameIn(':party_parrot:')).toBe('party_parrot');
  for (const other of ['👍', ':a:', ':_a_:', '::', ':Parrot:', `:${'a'.repeat(33)}:`]) expect(nameIn(other)).toBe('');
  expect(nameEnd('a :ok-go: b', 2)).toBe(9);
  expect(nameEnd('a :no go: b', 2)).toBe(2);
  expect(nameEnd(':open', 0)).toBe(0);
  expect(replaceNames(':aa::bb: c', (name, written) => (name === 'aa' ? 'A' : written))).toBe('A:bb: c');
  expect(nameOfFile('Party Parrot (1).png')).toBe('party_parrot_1');
  expect(nameOfFile('Käse.gif')).toBe('kase');
  expect(nameOfFile('日本.png')).toBe('');
});

test('they are asked for with the first that is looked at, and follow what the server tells', async () => {
  const ask = vi.fn(() => Promise.resolve(list('parrot', 'tukan')));
  serverEmoji.from(ask);
  serverEmoji.take({ name: 'ara', picture: '/p/ara' });
  expect(ask).not.toHaveBeenCalled();
  expect(serverEmoji.picture('parrot')).toBeUndefined();
  expect(serverEmoji.picture('tukan')).toBeUndefined();
  await vi.waitFor(() => expect(serverEmoji.picture('parrot')).toBe('/p/parrot'));
  expect(ask).toHaveBeenCalledTimes(1);
  expect(serverEmoji.all.may_add).toBe(true);
  ask.mockResolvedValue(list('ara', 'parrot'));
  serverEmoji.take({ name: 'tukan' });
  serverEmoji.take({ name: 'ara', picture: '/p/ara' });
  expect(serverEmoji.all.items.map((e) => e.name)).toEqual(['ara', 'parrot']);
  serverEmoji.from(undefined);
  expect(serverEmoji.picture('parrot')).toBeUndefined();
});

test('what is told while the list is on its way is not lost', async () => {
  let answer: (l: EmojiList) => void = () => {};
  const ask = vi.fn(() => new Promise<EmojiList>((done) => (answer = done)));
  serverEmoji.from(ask);
  serverEmoji.picture('parrot');
  const old = answer;
  serverEmoji.take({ name: 'parrot', picture: '/p/parrot' });
  old(list());
  await Promise.resolve();
  expect(ask).toHaveBeenCalledTimes(2);
  answer(list('parrot'));
  await vi.waitFor(() => expect(serverEmoji.picture('parrot')).toBe('/p/parrot'));
  serverEmoji.from(undefined);
});

test('a server that cannot be asked is left alone for a minute', async () => {
  vi.useFakeTimers();
  const ask = vi.fn(() => Promise.reject(new Error('offline')));
  serverEmoji.from(ask);
  serverEmoji.picture('parrot');
  await vi.advanceTimersByTimeAsync(10_000);
  serverEmoji.picture('parrot');
  expect(ask).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(60_000);
  serverEmoji.picture('parrot');
  expect(ask).toHaveBeenCalledTimes(2);
  serverEmoji.from(undefined);
  vi.useRealTimers();
});
