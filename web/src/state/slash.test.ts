import { expect, test, vi } from 'vitest';
import { OwnSlash } from './slash.svelte';

type Call = ConstructorParameters<typeof OwnSlash>[0]['call'];

const made = (call: (method: string, path: string) => Promise<unknown>) => {
  const asks = vi.fn(call);
  return { asks, slash: new OwnSlash({ call: asks as unknown as Call }) };
};

test('an answer to the user stays until it is dismissed, one to the room is there already', async () => {
  let answer: { text?: string } = { text: 'done' };
  const { slash } = made(async () => answer);
  const running = slash.run('r', 'deploy', 'api', 7);
  expect(slash.answers('r', 7)).toMatchObject([{ command: 'deploy' }]);
  expect(slash.answers('r', 7)[0]!.text).toBeUndefined(); // it is asked
  await running;
  const [shown] = slash.answers('r', 7);
  expect(shown!.text).toBe('done');
  expect(slash.answers('r')).toEqual([]);
  answer = {};
  await slash.run('r', 'deploy', 'api', 7);
  expect(slash.answers('r', 7)).toHaveLength(1);
  slash.dismiss(shown!.id);
  expect(slash.answers('r', 7)).toEqual([]);
});

test('a later answer comes by a frame, and only the last ones are kept', () => {
  const { slash } = made(async () => ({}));
  for (let i = 0; i < 7; i++)
    slash.take({ type: 'slash.answer', data: { room: 'r', command: 'deploy', text: `${i}` } });
  expect(slash.answers('r').map((a) => a.text)).toEqual(['2', '3', '4', '5', '6']);
});

test('the list of commands is asked for seldom, and anew after a failure', async () => {
  let fail = true;
  const { slash, asks } = made(async () => {
    if (fail) throw new Error('offline');
    return { items: [{ id: 'sls_1', name: 'deploy' }] };
  });
  await expect(slash.commands('r')).rejects.toThrow('offline');
  fail = false;
  expect(await slash.commands('r')).toHaveLength(1);
  await slash.commands('r');
  expect(asks).toHaveBeenCalledTimes(2);
  fail = true;
  await expect(slash.run('r', 'gone', '')).rejects.toThrow('offline');
  expect(slash.answers('r')).toEqual([]);
  fail = false;
  await slash.commands('r');
  expect(asks).toHaveBeenCalledTimes(4);
});
