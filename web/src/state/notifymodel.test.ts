import { beforeEach, expect, it, vi } from 'vitest';
import type { Chosen } from '../view/notifyport';
import { NotifyModel } from './notifymodel.svelte';

interface Call {
  what: string;
  body: unknown;
  answer: (c: Chosen) => void;
  refuse: (err: unknown) => void;
}

let calls: Call[];
let model: NotifyModel;

const nothing: Chosen = { level: 'mentions', keywords: [], quiet: { spans: [] }, choices: [] };

/** The n-th request, once it is sent. */
const sent = (n: number) => vi.waitFor(() => (expect(calls.length).toBeGreaterThan(n), calls[n]!));

beforeEach(async () => {
  calls = [];
  const call = (method: string, path: string, body?: unknown) =>
    new Promise((answer, refuse) => calls.push({ what: `${method} ${path}`, body, answer, refuse }));
  model = new NotifyModel({ call } as never);
  const loaded = model.load();
  calls[0]!.answer(nothing);
  await loaded;
  calls.length = 0;
});

it('shows a choice at once, and what the server made of it', async () => {
  const saved = model.set({ keywords: [' tea '] });
  expect(model.now?.keywords).toEqual([' tea ']);
  expect(calls[0]).toMatchObject({
    what: 'PUT /notifications',
    body: { level: 'mentions', keywords: [' tea '], quiet: { spans: [] } },
  });
  calls[0]!.answer({ ...nothing, keywords: ['tea'] });
  await saved;
  expect(model.now?.keywords).toEqual(['tea']);
});

it('goes back to what was, when the server refuses, and keeps what was chosen besides', async () => {
  const refused = model.set({ keywords: ['x'.repeat(99)] });
  const kept = model.set({ hide_text: true });
  calls[0]!.refuse(new Error('too long'));
  await expect(refused).rejects.toThrow('too long');
  expect(model.now).toMatchObject({ keywords: [], hide_text: true });
  (await sent(1)).answer({ ...nothing, hide_text: true });
  await kept;
  expect(calls[1]!.body).toMatchObject({ keywords: [], hide_text: true });
  expect(model.now).toMatchObject({ keywords: [], hide_text: true });
});

it('sends what is chosen while it waits in one request, after the one before', async () => {
  const first = model.set({ level: 'all' });
  const more = [model.set({ level: 'nothing' }), model.set({ hide_text: true }), model.set({ level: 'mentions' })];
  expect(calls.length).toBe(1);
  calls[0]!.answer({ ...nothing, level: 'all' });
  await first;
  expect(model.now).toMatchObject({ level: 'mentions', hide_text: true });
  (await sent(1)).answer({ ...nothing, hide_text: true });
  await Promise.all(more);
  expect(calls.map((c) => (c.body as Chosen).level)).toEqual(['all', 'mentions']);
});

it('sends nothing of what the server alone knows', () => {
  model.take({ ...nothing, silent_until: '2026-12-24T18:00:00Z', choices: [{ room: 'rom_1', level: 'all' }] });
  void model.set({ paused_until: undefined });
  expect(Object.keys(JSON.parse(JSON.stringify(calls[0]!.body)) as object)).toEqual(['level', 'keywords', 'quiet']);
});

it('chooses for a room and for a thread in it, each by itself, and takes it back', async () => {
  const room = model.choose({ room: 'rom_1', level: 'all' });
  const thread = model.choose({ room: 'rom_1', thread: 7, level: 'nothing' });
  const changed = model.choose({ room: 'rom_1', level: 'mentions' });
  const back = model.choose({ room: 'rom_1' });
  expect(model.now?.choices).toEqual([{ room: 'rom_1', thread: 7, level: 'nothing' }]);
  const had = { room: 'rom_1', thread: 7, level: 'nothing' } as const;
  const answers = [[{ room: 'rom_1', level: 'all' }], [had], [had], [had]] as Chosen['choices'][];
  for (const [i, choices] of answers.entries()) (await sent(i)).answer({ ...nothing, choices });
  await Promise.all([room, thread, changed, back]);
  expect(calls.map((c) => [c.what, c.body])).toEqual([
    ['PUT /rooms/rom_1/notifications', { thread: undefined, level: 'all' }],
    ['PUT /rooms/rom_1/notifications', { thread: 7, level: 'nothing' }],
    ['PUT /rooms/rom_1/notifications', { thread: undefined, level: 'mentions' }],
    ['PUT /rooms/rom_1/notifications', { thread: undefined, level: undefined }],
  ]);
});

it('keeps what is being chosen here while another device chooses something else', async () => {
  const saved = model.set({ level: 'all' });
  model.take({ ...nothing, keywords: ['tea'] });
  expect(model.now).toMatchObject({ level: 'all', keywords: ['tea'] });
  calls[0]!.answer({ ...nothing, level: 'all', keywords: ['tea'] });
  await saved;
  expect(model.now).toMatchObject({ level: 'all', keywords: ['tea'] });
});

it('takes no answer that is older than what came since', async () => {
  const loaded = model.load();
  model.take({ ...nothing, level: 'nothing' });
  calls[0]!.answer(nothing);
  await loaded;
  expect(model.now?.level).toBe('nothing');
});
