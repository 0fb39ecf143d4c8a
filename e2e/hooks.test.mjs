// An admin has what happens in a room sent to a program, and sees what became of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { becomes, password, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const { server, room, call, story, device } = workshop([['ann', 'tea?']], [], {
  UNHIDRA_PASSWORD: password,
  UNHIDRA_PRIVATE_NETWORKS: '127.0.0.0/8',
});

const got = [];
let status = 200;
let later; // where a command is answered later
const receiver = createServer(async (request, answer) => {
  if (request.url === '/deploy') {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    later = form.get('response_url');
    const room = { response_type: 'in_channel', text: `*${form.get('text')}* is on its way` };
    const body = JSON.stringify(form.get('text') ? room : { text: 'Which service?' });
    answer.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
    return;
  }
  const body = JSON.parse(Buffer.concat(await request.toArray()).toString());
  got.push(body.data.message?.text ?? body.type);
  receiver.emit('got');
  answer.writeHead(status).end('thanks');
});

before(() => once(receiver.listen(0, '127.0.0.1'), 'listening'));
after(() => {
  receiver.closeAllConnections();
  receiver.close();
});

const details = (page) => page.getByRole('complementary', { name: 'Room details' });

story('an admin names an address, and messages are delivered there', async ({ ann }) => {
  await ann.getByRole('button', { name: 'Room details' }).click();
  const form = details(ann).locator('form').filter({ hasText: 'Send to this address' });
  await form.getByLabel('Name', { exact: true }).fill('Ticket system');
  await form.getByLabel('Address', { exact: true }).fill('http://example.org/');
  await form.getByRole('button', { name: 'Send to this address' }).click();
  await form.getByText(/^receivers have https addresses/i).waitFor();
  await form.getByLabel('Address', { exact: true }).fill(`http://127.0.0.1:${receiver.address().port}/chat`);
  await form.getByRole('button', { name: 'Send to this address' }).click();
  const secret = details(ann).getByLabel('Secret of Ticket system');
  await secret.waitFor();
  await becomes(() => secret.inputValue(), /^whsec_/);
  await shot(ann, 'outgoing-hook-made');

  const arrived = once(receiver, 'got');
  await call('ann', 'POST', `/rooms/${room.id}/messages`, { key: 'a', text: 'the kettle is on' });
  await arrived;
  assert.deepEqual(got, ['the kettle is on']);
  await details(ann).getByRole('button', { name: 'Deliveries' }).click();
  await details(ann).getByText('delivered · 200').waitFor();
  const again = once(receiver, 'got');
  await details(ann).getByRole('button', { name: 'Send again' }).click();
  await again;
  assert.deepEqual(got, ['the kettle is on', 'the kettle is on']);
});

story('a receiver that has ended switches it off, with a reason, on a phone too', async ({ ann, bob }) => {
  status = 410;
  await details(ann).getByRole('button', { name: 'Send a test' }).click();
  await ann.getByText(/^This webhook was switched off: its receiver says/).waitFor();
  const { id } = await call('bob', 'GET', '/me');
  await call('ann', 'PATCH', `/rooms/${room.id}/members/${id}`, { role: 'admin' });
  await bob.getByRole('button', { name: 'Room details' }).tap();
  await details(bob).getByText('Switched off: the receiver says that it has ended').scrollIntoViewIfNeeded();
  await details(bob).getByRole('button', { name: 'Deliveries' }).tap();
  await details(bob).getByText('given up · 410').waitFor();
  await accessibleEverywhere(bob, 'outgoing-hooks');
  await shot(bob, 'phone-outgoing-hook-off');
  status = 200;
  await details(bob).getByRole('button', { name: 'Switch on' }).tap();
  await details(bob).getByRole('button', { name: 'Switch off' }).waitFor();
});

story('it is removed', async ({ ann }) => {
  await details(ann).getByRole('button', { name: 'Remove' }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await details(ann).getByText('Nothing is sent elsewhere').waitFor();
});

story('a command asks a program, which answers its writer, the room, and the writer later', async ({ ann, bob }) => {
  const form = details(ann).getByRole('form', { name: 'Commands' });
  await form.getByLabel('Command', { exact: true }).fill('topic');
  await form.getByLabel('What it does').fill('Bring a service to production');
  await form.getByLabel('What follows it').fill('SERVICE');
  await form.getByLabel('Address', { exact: true }).fill(`http://127.0.0.1:${receiver.address().port}/deploy`);
  await form.getByRole('button', { name: 'Create command' }).click();
  await form.getByText(/^\/topic is a command that rooms have already/).waitFor();
  await form.getByLabel('Command', { exact: true }).fill('deploy');
  await form.getByRole('button', { name: 'Create command' }).click();
  await details(ann).getByLabel('Secret of /deploy').waitFor();
  await accessibleEverywhere(ann, 'slash-commands');
  await shot(ann, 'slash-command-made');

  const box = ann.getByRole('textbox', { name: /^Message/ });
  await box.fill('/dep');
  await ann.getByRole('option', { name: /\/deploy SERVICE/ }).waitFor();
  await box.press('Enter');
  await box.press('Enter');
  const answers = (page) => page.getByRole('log', { name: 'Answers that only you see' });
  await answers(ann).getByText('Which service?').waitFor();
  await shot(ann, 'slash-command-answered');
  await answers(ann).getByRole('button', { name: 'Dismiss the answer of /deploy' }).click();
  await answers(ann).waitFor({ state: 'detached' });
  await box.fill('/deploy api');
  await box.press('Enter');
  await bob.getByText('api is on its way').first().waitFor();
  await fetch(later, { method: 'POST', body: 'api is *deployed*' });
  await answers(ann).getByText('api is deployed').waitFor();

  await details(bob).getByRole('button', { name: 'Back' }).tap();
  const small = bob.getByRole('textbox', { name: /^Message/ });
  status = 500;
  await small.fill('/deploy api');
  await bob.getByRole('button', { name: 'Send', exact: true }).tap();
  const failed = 'The program behind this command answered with an error. Tell an admin of this room.';
  await bob.getByText(failed).first().waitFor();
  await becomes(() => small.inputValue(), '/deploy api');
  status = 200;
  await small.fill('/deploy');
  await bob.getByRole('button', { name: 'Send', exact: true }).tap();
  await answers(bob).getByText('Which service?').waitFor();
  await accessibleEverywhere(bob, 'slash-command-answered');
  await shot(bob, 'phone-slash-command-answered');
});

story('an administrator makes a command of the server, which completes in all rooms', async ({ bob }) => {
  server.command('user', 'create', 'root', '--admin', '--display-name', 'Root');
  const root = await device('root', {}, false);
  await root.getByRole('heading', { name: /^Welcome/ }).waitFor();
  await root.goto(`${server.url}/admin/commands`);
  const main = root.getByRole('main');
  const form = main.getByRole('form', { name: 'Commands' });
  await form.getByLabel('Command', { exact: true }).fill('/oncall');
  await form.getByLabel('What it does').fill('Who is on call');
  await form.getByLabel('Address', { exact: true }).fill(`http://127.0.0.1:${receiver.address().port}/deploy`);
  await form.getByLabel('Rooms that have it').selectOption('Private rooms');
  await form.getByRole('button', { name: 'Create command' }).click();
  await main.getByLabel('Secret of /oncall').waitFor();
  await accessibleEverywhere(root, 'admin-commands');
  await shot(root, 'admin-command-made');

  const box = bob.getByRole('textbox', { name: /^Message/ });
  const option = bob.getByRole('option', { name: /\/oncall/ });
  await bob.reload();
  await box.fill('/dep');
  await bob.getByRole('option', { name: /\/deploy/ }).waitFor();
  await box.fill('/onc');
  await becomes(() => option.count(), 0); // the room is a public one
  await main.getByRole('listitem').getByRole('button', { name: 'Change' }).click();
  await form.getByLabel('Rooms that have it').selectOption('All rooms');
  await form.getByRole('button', { name: 'Save' }).click();
  await main.getByRole('listitem').getByText('All rooms').waitFor();
  await bob.reload();
  await box.fill('/onc');
  await option.getByText('Who is on call').waitFor();
  await shot(bob, 'phone-server-command');
  await option.tap();
  await bob.getByRole('button', { name: 'Send', exact: true }).tap();
  await bob.getByRole('button', { name: 'Dismiss the answer of /oncall' }).waitFor();

  await main.getByRole('button', { name: 'Remove' }).click();
  await root.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await main.getByText('No commands').waitFor();
});

story('its owner leaves a room that has only a webhook besides', async ({ ann }) => {
  const attic = await call('ann', 'POST', '/rooms', { kind: 'private', name: 'Attic' });
  await call('ann', 'POST', `/rooms/${attic.id}/hooks`, { name: 'Grafana' });
  await ann.getByRole('link', { name: 'Attic' }).click();
  await ann.getByRole('button', { name: 'Room details' }).click();
  await details(ann).getByRole('button', { name: 'Leave room' }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Leave room' }).click();
  await ann.getByRole('link', { name: 'Attic' }).waitFor({ state: 'detached' });
});
