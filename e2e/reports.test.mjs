// Bob reports messages of Eve, and the server flags one: a moderator decides, and an administrator on a moderator's.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { composer, line, password, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const { server, room, call, register, story, device } = workshop([['ann', 'who cooks?'], ['bob', 'not me']], [], {
  UNHIDRA_PASSWORD: password,
});

const of = (page, text) =>
  page.locator('#messages article[data-message]').filter({ has: page.getByText(text, { exact: true }) });
const panel = (page) => page.getByRole('complementary', { name: 'Reports' });
const says = (who, text) => call(who, 'POST', `/rooms/${room.id}/messages`, { key: text.replaceAll(' ', '-'), text });

story('a message is reported from its menu by keyboard, on a screen as small as a phone', async ({ ann, bob }) => {
  await register('eve', 'Eve');
  await call('eve', 'POST', `/rooms/${room.id}/join`);
  const { seq } = await says('eve', 'buy my pills');
  await of(bob, 'buy my pills').focus();
  await of(bob, 'buy my pills').getByRole('button', { name: 'More actions' }).focus();
  await bob.keyboard.press('Enter');
  await bob.getByRole('menuitem', { name: 'Report' }).waitFor();
  await bob.keyboard.press('End');
  await bob.keyboard.press('Enter');
  const dialog = bob.getByRole('dialog', { name: 'Report this message' });
  await dialog.getByRole('radio', { name: /^Something else/ }).check();
  await dialog.getByLabel('Note (optional)').fill('the third time today');
  await accessible(bob, 'report-phone');
  const told = ann.getByText(`A message was reported in ${room.name}`).waitFor(); // for a few seconds
  await dialog.getByRole('button', { name: 'Report' }).tap();
  await Promise.all([told, dialog.waitFor({ state: 'detached' })]);
  await call('eve', 'PATCH', `/rooms/${room.id}/messages/${seq}`, { text: 'good morning' });
});

story('the moderator finds what it said then, deletes it by keyboard, and Bob hears of it', async ({ ann, bob }) => {
  await ann.getByRole('button', { name: 'Room details' }).click();
  await ann.getByRole('link', { name: /^Reports/ }).and(ann.locator(':has(.badge)')).click();
  await panel(ann).getByText('buy my pills').waitFor();
  await panel(ann).getByText('the third time today').waitFor();
  await accessibleEverywhere(ann, 'report-queue');
  await panel(ann).getByRole('button', { name: 'Delete message' }).focus();
  const told = bob.getByText('A message that you reported was deleted').waitFor(); // for a few seconds
  const shown = told.then(() => bob.getByRole('button', { name: 'Show', exact: true }).tap());
  await ann.keyboard.press('Enter');
  await shown;
  await panel(ann).getByText('No reports').waitFor();
  await line(bob, 'good morning').waitFor({ state: 'detached' });
  await bob.getByText('message deleted').waitFor();
  await accessible(bob, 'report-own-phone');
});

story('what the server flags is shown to who asks, and stays after an appeal', async ({ ann, bob }) => {
  await ann.getByRole('button', { name: 'Room details' }).click();
  await ann.getByRole('complementary').getByLabel('Rough language').selectOption('If 80 % sure');
  await ann.getByText('Ann changed which messages the server flags').waitFor();
  await accessibleEverywhere(ann, 'screening-details');
  const eve = await device('eve', {}, false);
  await eve.getByRole('navigation').getByRole('link', { name: room.name }).click();
  await composer(eve).fill('you stupid idiot');
  await composer(eve).press('Enter');
  await bob.goto(`${server.url}/rooms/${room.id}`);
  await bob.getByText('May be rough language. A moderator will look.').waitFor();
  assert.equal(await line(bob, 'you stupid idiot').count(), 0, 'it is shown to who did not ask');
  await accessible(bob, 'flagged-phone');
  await bob.getByRole('button', { name: 'Show message' }).tap();
  await line(bob, 'you stupid idiot').waitFor();
  await line(eve, 'you stupid idiot').waitFor();
  await eve.getByRole('button', { name: 'This is a mistake' }).click();
  await eve.getByText('You asked for a decision.').waitFor();
  await accessibleEverywhere(eve, 'flagged-own');
  await ann.getByRole('link', { name: /^Reports/ }).and(ann.locator(':has(.badge)')).click();
  await panel(ann).getByText('Eve says that the server is mistaken.').waitFor();
  await accessibleEverywhere(ann, 'flagged-queue');
  await panel(ann).getByRole('button', { name: 'Keep' }).click();
  for (const page of [ann, bob, eve]) {
    await page.getByText('May be rough language. A moderator will look.').waitFor({ state: 'detached' });
    await line(page, 'you stupid idiot').waitFor();
  }
  assert.equal(eve.broken, undefined);
});

story('of a moderator an administrator decides, who sees what is around it', async ({ ann }) => {
  await call('ann', 'PATCH', `/rooms/${room.id}/members/eve`, { role: 'moderator' });
  const { seq } = await says('eve', 'I do what I like');
  await says('ann', 'tea is ready');
  await call('bob', 'PUT', `/rooms/${room.id}/messages/${seq}/report`, { reason: 'harassment' });
  assert.equal((await call('ann', 'GET', `/rooms/${room.id}/reports`)).waiting, 0, 'no colleague decides');
  server.command('user', 'create', 'root', '--admin', '--display-name', 'Root');
  const root = await device('root', {}, false);
  await root.getByRole('heading', { name: /^Welcome/ }).waitFor();
  await root.goto(`${server.url}/admin/reports`);
  await root.getByRole('button', { name: 'Look at the message by Eve' }).click();
  await root.getByText('I do what I like').waitFor();
  await root.getByText('tea is ready').waitFor();
  await accessibleEverywhere(root, 'report-admin');
  await root.getByRole('button', { name: 'Keep' }).click();
  await root.getByText('No reports').waitFor();
  await shot(root, 'report-admin-none');
  for (const page of [ann, root]) assert.equal(page.broken, undefined);
});
