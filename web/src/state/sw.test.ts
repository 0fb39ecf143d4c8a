import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';

const script = readFileSync(new URL('../../public/sw.js', import.meta.url), 'utf8');

interface Told {
  title: string;
  tag: string;
  data: { path: string };
}

/** Runs the service worker, gives it a push, and returns what it shows. */
async function shows(push: object): Promise<Told[]> {
  const told: Told[] = [];
  const on: Record<string, (e: object) => void> = {};
  const registration = {
    getNotifications: () => Promise.resolve(told),
    showNotification: (title: string, options: Omit<Told, 'title'>) => Promise.resolve(told.push({ title, ...options })),
  };
  const self = { addEventListener: (type: string, f: (e: object) => void) => (on[type] = f), registration };
  runInNewContext(script, { self, navigator: { language: 'en' } });
  const done = vi.fn<(p: Promise<unknown>) => void>();
  on['push']?.({ data: { json: () => push }, waitUntil: done });
  await done.mock.calls[0]?.[0];
  return told;
}

it('opens a reply of a push in its thread, and another message in the room', async () => {
  const push = { kind: 'message', room: 'r', seq: 9, name: 'Hall', sender: 'Ann', text: 'tea', count: 1 };
  expect(await shows({ ...push, thread: 7 })).toMatchObject([
    { title: 'Ann in Hall', tag: 'r/7', data: { path: '/rooms/r/9?thread=7' } },
  ]);
  expect(await shows(push)).toMatchObject([{ tag: 'r', data: { path: '/rooms/r/9' } }]);
});

it('opens the message that a reminder is about, and else what is scheduled', async () => {
  const push = { kind: 'reminder', id: 'rmd_1', room: 'r', seq: 9, name: 'Hall', sender: 'Ann', text: 'tea', count: 1 };
  expect(await shows(push)).toMatchObject([{ title: 'Reminder', tag: 'rmd_1', data: { path: '/rooms/r/9' } }]);
  expect(await shows({ ...push, room: '' })).toMatchObject([{ data: { path: '/scheduled' } }]);
});
