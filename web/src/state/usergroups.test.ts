import { afterEach, expect, test, vi } from 'vitest';
import { UserGroups } from './usergroupapi';

afterEach(() => void vi.useRealTimers());

test('groups are found by handle and by words of the name, and asked for once a minute', async () => {
  vi.useFakeTimers();
  const asked: string[] = [];
  let down = false;
  const items = [
    { id: '1', handle: 'backend', name: 'The Servers', size: 2, mine: true },
    { id: '2', handle: 'sales', name: 'Back office', size: 0, mine: false },
  ];
  const call = (method: string, path: string) => {
    asked.push(`${method} ${path}`);
    return down ? Promise.reject(new Error('offline')) : Promise.resolve({ items });
  };
  const groups = new UserGroups({ call } as never);
  const begun = async (typed: string) => (await groups.begun(typed)).map((g) => g.id);

  expect(await begun('Back')).toEqual(['1', '2']);
  expect(await begun('serv')).toEqual(['1']);
  expect(await begun('ack')).toEqual([]);
  expect(asked).toEqual(['GET /user-groups']);

  await groups.removeMember('1', 'usr_1'); // the numbers have changed
  expect(await begun('')).toEqual(['1', '2']);
  vi.advanceTimersByTime(60_001);
  down = true;
  await expect(begun('back')).rejects.toThrow('offline');
  down = false;
  expect(await begun('sales')).toEqual(['2']);
  expect(asked.slice(1)).toEqual([
    'DELETE /admin/user-groups/1/members/usr_1',
    'GET /user-groups',
    'GET /user-groups',
    'GET /user-groups',
  ]);
});
