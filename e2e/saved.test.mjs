// What a person keeps for themselves follows them: Ann is at a desk, and has a phone.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { becomes, composer, shot } from './people.mjs';
import { said, workshop } from './workshop.mjs';

const lines = [['bob', 'scones: flour, butter, milk'], ...said('bob', 60), ['ann', 'cake?']];
const { room, call, story, device } = workshop(lines);

const main = (page) => page.locator('#messages');
const of = (page, text) =>
  main(page).locator('article[data-message]').filter({ has: page.getByText(text, { exact: true }) }).first();
const mark = (page, text) => of(page, text).getByRole('img', { name: 'Saved by you' });
const list = (page) => page.getByRole('main', { name: 'Saved' });
const saved = (page) => list(page).getByRole('link');
const numberOf = async (text) => {
  const { items } = await call('ann', 'GET', `/rooms/${room.id}/timeline?main=true&limit=200`);
  return items.find((e) => e.message?.text === text).seq;
};
const toRoom = (page) => page.goto(`${new URL(page.url()).origin}/rooms/${room.id}`);

let phone;

story('who has saved nothing learns how to', async ({ ann }) => {
  phone = await device('ann');
  await ann.getByRole('link', { name: 'Saved', exact: true }).click();
  await list(ann).getByText('Nothing saved').waitFor();
  await accessible(ann, 'saved-none');
  await shot(ann, 'saved-none');
  await ann.goBack();
});

story('a message is saved from its menu, and marked on the other device at once', async ({ ann, bob }) => {
  await of(ann, 'cake?').hover();
  await of(ann, 'cake?').getByRole('button', { name: 'More actions' }).click();
  await ann.getByRole('menuitem', { name: 'Save for later' }).click();
  for (const page of [ann, phone]) await mark(page, 'cake?').waitFor();
  await of(bob, 'cake?').waitFor();
  await becomes(() => mark(bob, 'cake?').count(), 0, 'nobody else sees it');
  await of(ann, 'cake?').hover();
  await of(ann, 'cake?').getByRole('button', { name: 'More actions' }).click();
  await ann.getByRole('menuitem', { name: 'Remove from saved' }).waitFor();
  await accessible(ann, 'saved-menu');
  await shot(ann, 'saved-menu');
  await ann.keyboard.press('Escape');
});

story('a key saves a message, and takes it off again', async ({ ann }) => {
  await of(ann, 'line 59').focus();
  await ann.keyboard.press('s');
  await mark(phone, 'line 59').waitFor();
  await of(ann, 'line 59').focus();
  await ann.keyboard.press('s');
  await mark(phone, 'line 59').waitFor({ state: 'detached' });
});

story('the list leads to a message of long ago, and back', async ({ ann }) => {
  await call('ann', 'PUT', `/me/saved/${room.id}/${await numberOf('scones: flour, butter, milk')}`);
  await ann.getByRole('link', { name: 'Saved', exact: true }).click();
  await saved(ann).first().waitFor();
  await becomes(() => saved(ann).first().innerText(), /Workshop[^]*Bob[^]*scones/, 'the latest comes first');
  await accessibleEverywhere(ann, 'saved');
  await shot(ann, 'saved');
  await saved(ann).first().focus();
  await ann.keyboard.press('ArrowDown');
  await ann.waitForFunction(() => document.activeElement?.textContent.includes('cake?'));
  await saved(ann).first().click();
  await ann.waitForFunction(() => document.activeElement?.textContent.includes('scones'));
  await becomes(() => mark(ann, 'scones: flour, butter, milk').isVisible(), true);
  await ann.goBack();
  await saved(ann).first().waitFor();
});

story('on a phone the list fits, and one is taken off it; the desk follows', async ({ ann }) => {
  await phone.goto(`${new URL(phone.url()).origin}/saved`);
  await saved(phone).first().waitFor();
  await becomes(() => saved(phone).count(), 2);
  await accessible(phone, 'saved-phone');
  await shot(phone, 'saved-phone');
  await list(phone).getByRole('button', { name: /^Remove Bob from saved: scones/ }).tap();
  for (const page of [phone, ann]) await saved(page).filter({ hasText: 'scones' }).waitFor({ state: 'detached' });
  await becomes(() => saved(ann).count(), 1);
});

story('what is deleted is saved no longer', async ({ ann }) => {
  await call('ann', 'DELETE', `/rooms/${room.id}/messages/${await numberOf('cake?')}`);
  for (const page of [phone, ann]) await list(page).getByText('Nothing saved').waitFor();
});

story('a list that cannot be loaded says so, and is asked for again', async ({ ann }) => {
  await phone.route('**/me/saved?*', (route) => route.abort());
  await phone.reload();
  await list(phone).getByText('Couldn’t load your saved messages').waitFor();
  await accessible(phone, 'saved-failed');
  await phone.waitForLoadState('networkidle'); // what was saved elsewhere may have it asked for once more
  await phone.unroute('**/me/saved?*');
  await phone.getByRole('button', { name: 'Try again' }).tap();
  await list(phone).getByText('Nothing saved').waitFor();
  await toRoom(ann);
  await toRoom(phone);
  await composer(phone).waitFor();
});

story('what is begun at the desk is gone on with on the phone, and sent once', async ({ ann, bob }) => {
  await composer(ann).fill('shall we');
  await phone.waitForFunction(() => document.querySelector('textarea')?.value === 'shall we');
  await composer(ann).blur();
  await composer(phone).fill('shall we dance?');
  await ann.waitForFunction(() => document.querySelector('textarea')?.value === 'shall we dance?');
  await shot(ann, 'draft');
  assert.equal((await call('bob', 'GET', '/me/drafts')).items.length, 0);
  await phone.getByRole('button', { name: 'Send', exact: true }).tap();
  await of(bob, 'shall we dance?').waitFor();
  await ann.waitForFunction(() => document.querySelector('textarea')?.value === '');
  assert.equal((await call('ann', 'GET', '/me/drafts')).items.length, 0);
});

story('nothing is replaced where one is writing, and the list of rooms marks a draft', async ({ ann }) => {
  await composer(phone).blur();
  await composer(ann).fill('my own words');
  await phone.waitForFunction(() => document.querySelector('textarea')?.value === 'my own words');
  const { items } = await call('ann', 'GET', '/me/drafts');
  await composer(ann).focus();
  await call('ann', 'PUT', `/me/drafts/${room.id}`, { text: 'other words', over: items[0].version });
  await phone.waitForFunction(() => document.querySelector('textarea')?.value === 'other words');
  await becomes(() => composer(ann).inputValue(), 'my own words');
  await composer(ann).press('End');
  await composer(ann).pressSequentially(', after all');
  await phone.waitForFunction(() => document.querySelector('textarea')?.value === 'my own words, after all');
  await phone.goto(new URL(phone.url()).origin);
  await phone.getByRole('link', { name: /Workshop.*draft/i }).waitFor();
  await shot(phone, 'draft-phone');
});

story('what is written offline comes to the other device once there is a network', async ({ ann }) => {
  await toRoom(phone);
  await composer(phone).waitFor();
  await ann.context().setOffline(true);
  await composer(ann).fill('from the train');
  await composer(ann).blur();
  await ann.context().setOffline(false);
  await phone.waitForFunction(() => document.querySelector('textarea')?.value === 'from the train');
});
