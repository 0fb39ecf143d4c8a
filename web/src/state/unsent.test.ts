import { expect, test } from 'vitest';
import type { User } from '../view/types';
import { MemoryBrowser } from './memorystore';
import { Outbox } from './outbox';
import { draftsOf } from './room.svelte';
import { draftKeys, forgetUnsent, unsentOf } from './unsent';

const ann: User = { id: 'usr_a', kind: 'user', username: 'ann', display_name: 'Ann' };
const bob: User = { ...ann, id: 'usr_b', username: 'bob' };

test('who signs out leaves nothing unsent behind, and others keep theirs', () => {
  const browser = new MemoryBrowser();
  const store = browser.tab();
  const link = { live: false, request: () => Promise.reject(new Error('not live')) };
  const outbox = (me: User) => new Outbox({ me, store, link, changed: () => {}, head: () => 0 });
  const [anns, bobs] = [outbox(ann), outbox(bob)];
  anns.add('room_1', 'written offline');
  bobs.add('room_1', 'also');
  store.set(`${draftKeys(ann.id)}room_1`, 'half a thought');
  store.set(`${draftKeys(bob.id)}room_2`, 'another');
  store.set('unhidra.settings', '{}');
  expect([unsentOf(store, ann.id), unsentOf(store, bob.id)]).toEqual([2, 2]);

  anns.close();
  forgetUnsent(store, ann.id);
  expect(unsentOf(store, ann.id)).toBe(0);
  expect(outbox(ann).of('room_1')).toEqual([]);
  expect(draftsOf(store, ann.id)).toEqual([]);
  expect([...browser.disk.keys()].filter((key) => key.includes(ann.id))).toEqual([]);
  expect(unsentOf(store, bob.id)).toBe(2);
  expect(store.get('unhidra.settings')).toBe('{}');
});
