import { expect, test } from 'vitest';
import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { Me, Message } from '../view/types';
import { OwnLinked } from './linked.svelte';

const settled = () => new Promise((done) => setTimeout(done));
const saying = (text: string, seq = 4) => ({ room: 'r', seq, text }) as Message;
const event = (type: string, message: Message) => ({ type: 'event', data: { type, room: 'r', message } }) as Frame;
const edited = event('message.edited', saying('cake'));
const deleted = event('message.deleted', { ...saying(''), deleted_at: 'now' });

/** The state, and the questions that wait for an answer. */
function begin() {
  const asked: { line: string; answer: (v: unknown) => void; fail: () => void }[] = [];
  const call = (method: string, path: string) =>
    new Promise((done, failed) =>
      asked.push({ line: `${method} ${path}`, answer: done, fail: () => failed(new Error('away')) }),
    );
  return { linked: new OwnLinked({ call } as unknown as Api<Me>), asked };
}

/** The state once a message was looked at. */
async function looked() {
  const { linked, asked } = begin();
  linked.look('r', 4);
  asked.shift()?.answer(saying('tea'));
  await settled();
  return { linked, asked };
}

test('a message is asked for once', async () => {
  const { linked, asked } = begin();
  linked.look('r', 4);
  linked.look('r', 4);
  expect([linked.of('r', 4), asked.map((a) => a.line)]).toEqual([undefined, ['GET /rooms/r/messages/4']]);
  asked[0]?.answer(saying('tea'));
  await settled();
  linked.look('r', 4);
  expect([linked.of('r', 4)?.text, linked.of('r', 5), asked.length]).toEqual(['tea', undefined, 1]);
});

test('of a message that is deleted nothing is left at once, and an edit is shown', async () => {
  const { linked } = await looked();
  linked.take(edited);
  expect(linked.of('r', 4)?.text).toBe('cake');
  linked.take(event('message.deleted', { ...saying('other', 5), deleted_at: 'now' }));
  linked.take(event('reaction.added', saying('other')));
  expect([linked.of('r', 4)?.text, linked.of('r', 5)]).toEqual(['cake', undefined]);
  linked.take(deleted);
  expect(linked.of('r', 4)).toMatchObject({ text: '', deleted_at: 'now' });
});

test('what is told while the answer is on its way is newer than that', async () => {
  const { linked, asked } = begin();
  linked.look('r', 4);
  linked.take(deleted);
  asked[0]?.answer(saying('tea'));
  await settled();
  expect(linked.of('r', 4)?.text).toBe('');
});

test('each connection asks anew, and shows what was there meanwhile', async () => {
  const { linked, asked } = await looked();
  linked.hello();
  expect(linked.of('r', 4)?.text).toBe('tea');
  linked.look('r', 4);
  asked.shift()?.answer({ ...saying(''), deleted_at: 'now' });
  await settled();
  expect(linked.of('r', 4)?.text).toBe('');
});

test('a message that cannot be had is missing until the next connection', async () => {
  const { linked, asked } = begin();
  linked.look('r', 4);
  asked.shift()?.fail();
  await settled();
  linked.look('r', 4);
  expect([linked.of('r', 4), asked.length]).toEqual([null, 0]);
  linked.hello();
  linked.look('r', 4);
  expect(asked).toHaveLength(1);
});

test('whoever leaves the room has nothing of it any more', async () => {
  const { linked, asked } = await looked();
  linked.look('r', 5);
  linked.look('rr', 4);
  linked.take({ type: 'room.left', data: { room: 'r' } } as Frame);
  for (const a of asked) a.answer(saying('tea'));
  await settled();
  expect([linked.of('r', 4), linked.of('r', 5), linked.of('rr', 4)?.text]).toEqual([undefined, undefined, 'tea']);
});

test('only so many are kept', async () => {
  const { linked, asked } = begin();
  for (let seq = 1; seq <= 201; seq++) linked.look('r', seq);
  for (const [i, a] of asked.entries()) a.answer(saying('tea', i + 1));
  await settled();
  expect([linked.of('r', 1), linked.of('r', 2)?.text, linked.of('r', 201)?.text]).toEqual([undefined, 'tea', 'tea']);
});
