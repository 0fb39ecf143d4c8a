import { beforeEach, expect, test } from 'vitest';
import { Refusal, type Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Store } from '../platform/storage.svelte';
import type { Arranged } from '../view/sectionport';
import { add, put } from '../view/shell/arrange';
import type { Me } from '../view/types';
import { arrangedKey, readArranged } from './arranged';
import { MemoryBrowser } from './memorystore';
import { OwnSections } from './sections';

type Body = Omit<Arranged, 'version'> & { over: number };

/** A server that keeps sections as ours does, and whoever else changes them. */
class Server {
  kept: Arranged = { version: 0, favourites: { rooms: [] }, sections: [] };
  down = false;
  /** what another device does before the next request is answered */
  meanwhile: (() => void)[] = [];
  asked: string[] = [];
  readonly api = {
    call: async (method: string, path: string, body?: Body) => {
      this.asked.push(method);
      await Promise.resolve();
      expect(path).toBe('/me/sections');
      if (method === 'PUT') this.meanwhile.shift()?.();
      if (this.down) throw new Error('away');
      if (!body) return this.kept;
      if (body.over && body.over < this.kept.version)
        throw new Refusal(409, { code: 'sections_changed', kind: 'conflict' });
      const { over: _, ...wanted } = body;
      this.kept = { ...wanted, version: this.kept.version + 1 };
      return this.kept;
    },
  } as unknown as Api<Me>;
}

let server: Server;
let store: Store;
let shown: Arranged[];
const make = () => new OwnSections({ api: server.api, me: 'ann', store, show: (now) => shown.push(now) });
const names = (a: Arranged | undefined) => a?.sections.map((s) => s.name);

beforeEach(() => {
  server = new Server();
  store = new MemoryBrowser().tab();
  shown = [];
});

test('a change is shown at once, sent, and remembered for the next time', async () => {
  const sections = make();
  const done = sections.change((a) => add(a, 'Work'));
  expect(names(shown.at(-1))).toEqual(['Work']);
  await done;
  expect(names(server.kept)).toEqual(['Work']);
  expect(names(readArranged(store, 'ann'))).toEqual(['Work']);
  expect(names(readArranged(store, 'bob'))).toEqual([]);
});

test('changes in one go are sent in order', async () => {
  const sections = make();
  const both = [
    sections.change((a) => add(a, 'Work')),
    sections.change((a) => put(a, 'r', { section: 'Work' })),
    sections.change((a) => put(a, 'q', { favourites: true })),
  ];
  await Promise.all(both);
  expect(server.kept.sections).toEqual([{ name: 'Work', rooms: ['r'] }]);
  expect(server.kept.favourites.rooms).toEqual(['q']);
});

test('what another device did meanwhile stays', async () => {
  server.kept = { version: 5, favourites: { rooms: [] }, sections: [] };
  const sections = make();
  server.meanwhile = [() => (server.kept = { ...add(server.kept, 'Theirs'), version: 9 })];
  await sections.change((a) => add(a, 'Mine'));
  expect(names(server.kept)).toEqual(['Theirs', 'Mine']);
  expect(server.asked).toEqual(['GET', 'PUT', 'GET', 'PUT']);
});

test('it gives up when other devices are always faster, and says so', async () => {
  server.kept = { version: 5, favourites: { rooms: [] }, sections: [] };
  const sections = make();
  server.meanwhile = Array.from({ length: 10 }, (_, i) => () => (server.kept = { ...server.kept, version: 10 + i }));
  await expect(sections.change((a) => add(a, 'Mine'))).rejects.toMatchObject({ code: 'sections_changed' });
  expect(names(shown.at(-1))).toEqual([]);
});

test('a change that the server does not take is taken back', async () => {
  const sections = make();
  server.down = true;
  await expect(sections.change((a) => add(a, 'Work'))).rejects.toThrow('away');
  expect(names(shown.at(-1))).toEqual([]);
  server.down = false;
  await sections.change((a) => add(a, 'Home'));
  expect(names(server.kept)).toEqual(['Home']);
});

test('what is told is shown unless it is older, and an answer to a question about now counts', async () => {
  const sections = make();
  const told = (version: number, name: string) =>
    sections.take({ type: 'sections', data: add({ ...server.kept, version }, name) } as unknown as Frame);
  told(7, 'Seven');
  told(6, 'Six');
  expect(names(shown.at(-1))).toEqual(['Seven']);
  server.kept = add({ ...server.kept, version: 3 }, 'Three'); // the server is one from a backup
  sections.hello();
  await Promise.resolve().then(() => new Promise((done) => setTimeout(done)));
  expect(names(shown.at(-1))).toEqual(['Three']);
});

test('what a browser has that is no arrangement is left out', () => {
  store.set(arrangedKey('ann'), '{');
  expect(readArranged(store, 'ann')).toEqual({ version: 0, favourites: { rooms: [] }, sections: [] });
});
