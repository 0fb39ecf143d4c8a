// An administrator makes a bot an assistant, and it answers in a room while people look on, until one of them stops it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { becomes, composer, hasFocus, line, password, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const asked = [];
const endpoint = createServer(async (request, answer) => {
  asked.push(JSON.parse(Buffer.concat(await request.toArray()).toString()).messages);
  answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const say = (content) => answer.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
  say('The kettle is **on**');
  await once(endpoint, 'go on');
  say(', and there is cake.');
  if (asked.length === 1) answer.end('data: [DONE]\n\n');
});
await once(endpoint.listen(0, '127.0.0.1'), 'listening');
after(() => {
  endpoint.closeAllConnections();
  endpoint.close();
});

const { server, room, call, story } = workshop([['ann', 'tea?']], [], {
  UNHIDRA_ASSISTANT_URL: `http://127.0.0.1:${endpoint.address().port}/v1`,
  UNHIDRA_ASSISTANT_MODEL: 'small',
});

story('an administrator makes a bot an assistant', async ({ ann }) => {
  const root = { username: 'root', display_name: 'Root', password, setup_token: server.setupLink.split('token=')[1] };
  const { access_token } = await call('', 'POST', '/auth/register', root);
  const { id } = await call('ann', 'GET', '/me');
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${access_token}` };
  const change = { method: 'PATCH', headers, body: '{"role":"admin"}' };
  assert.ok((await fetch(`${server.url}/api/v1/admin/users/${id}`, change)).ok);
  await ann.getByLabel('Username or e-mail').fill('ann'); // whose role changes is signed out
  await ann.getByRole('textbox', { name: 'Passphrase' }).fill(password);
  await ann.getByRole('button', { name: 'Sign in', exact: true }).click();
  await ann.getByRole('link', { name: /Workshop/ }).waitFor();
  await ann.goto(`${server.url}/settings/bots`);
  await ann.getByLabel('Username').fill('ask');
  await ann.getByLabel('Display name').fill('Ask');
  await ann.getByRole('button', { name: 'Create bot' }).click();
  await ann.getByRole('button', { name: 'Make an assistant' }).click();
  const form = ann.getByRole('form', { name: 'Assistant Ask' });
  await form.getByText(/^A language model answers for this bot.*127\.0\.0\.1.*small/).waitFor();
  await form.getByLabel('Instructions').fill('Answer in one sentence.');
  await accessibleEverywhere(ann, 'assistant-form');
  await form.getByRole('button', { name: 'Make an assistant' }).click();
  const opener = ann.getByRole('button', { name: 'Assistant', exact: true });
  await hasFocus(opener, 'the focus is where it was');
});

story('it answers who names it, in a message that grows', async ({ ann, bob }) => {
  await call('bob', 'POST', `/rooms/${room.id}/members`, { user: 'ask' });
  await ann.getByRole('link', { name: /Workshop/ }).click();
  await composer(ann).fill('@ask is there tea?');
  await composer(ann).press('Enter');
  const article = (page) => page.getByRole('article').filter({ hasText: 'The kettle is on' });
  for (const page of [ann, bob]) await article(page).getByText('AI assistant').waitFor();
  endpoint.emit('go on');
  for (const page of [ann, bob]) await article(page).getByText(', and there is cake.').waitFor();
  await becomes(() => article(ann).getByText('edited').count(), 0);
  assert.equal(asked[0].at(-1).content, 'Ann: tea?\n\nAnn: @ask is there tea?');
  await shot(ann, 'assistant-answer');
  await shot(bob, 'phone-assistant-answer');
});

story('a stop sign ends its answer', async ({ ann }) => {
  await composer(ann).fill('@ask and now?');
  await composer(ann).press('Enter');
  await ann.getByRole('article').filter({ hasText: 'The kettle is on' }).nth(1).waitFor();
  const { items } = await call('bob', 'GET', `/rooms/${room.id}/timeline`);
  await call('bob', 'PUT', `/rooms/${room.id}/messages/${items.at(-1).seq}/reactions/${encodeURIComponent('🛑')}`);
  await line(ann, 'The answer was stopped.').waitFor();
  await shot(ann, 'assistant-stopped');
});
