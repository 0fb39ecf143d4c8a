// Messages are pinned and found again: by pointer, by keyboard alone, and on a phone.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { becomes, hasFocus } from './people.mjs';
import { said, workshop } from './workshop.mjs';

const lines = [['ann', 'agenda: tea'], ...said('bob', 60), ['ann', 'cake?']];
const { room, call, story } = workshop(lines);

const main = (page) => page.locator('#messages');
const of = (within, text) =>
  within.locator('article[data-message]').filter({ has: within.page().getByText(text, { exact: true }) }).first();
const panel = (page) => page.getByRole('complementary', { name: 'Pinned messages' });
const pinned = (page) => panel(page).getByRole('link');
const numberOf = async (text) => {
  const { items } = await call('ann', 'GET', `/rooms/${room.id}/timeline?main=true&limit=200`);
  return items.find((e) => e.message?.text === text).seq;
};

async function menuOf(page, text) {
  await of(main(page), text).hover({ position: { x: 60, y: 10 } }); // in its middle, a notice may be over it
  await of(main(page), text).getByRole('button', { name: 'More actions' }).click();
}

story('the list of a room without pinned messages says how to get one', async ({ ann, bob }) => {
  await ann.getByRole('button', { name: 'Pinned messages' }).click();
  await panel(ann).getByText('Pin a message from its menu').waitFor();
  await accessible(ann, 'pins-none');
  await bob.getByRole('button', { name: 'Room details' }).tap();
  await bob.getByRole('link', { name: 'Pinned messages' }).tap();
  await panel(bob).getByText('Pin a message from its menu').waitFor();
  assert.equal((await panel(bob).boundingBox()).width, 390);
});

story('a message is pinned from its menu, and everybody finds it in the list at once', async ({ ann, bob }) => {
  await menuOf(ann, 'cake?');
  await ann.getByRole('menuitem', { name: 'Pin', exact: true }).click();
  await ann.getByText('Pinned', { exact: true }).waitFor();
  for (const page of [ann, bob]) await pinned(page).filter({ hasText: 'cake?' }).waitFor();
  await panel(bob).getByText(/Pinned by Ann/).waitFor();
  await panel(bob).getByRole('button', { name: /^Unpin/ }).waitFor();
});

story('by keyboard alone a message is pinned, and the menu then offers to unpin it', async ({ ann, bob }) => {
  await of(main(ann), 'line 59').focus();
  await ann.keyboard.press('p');
  await pinned(bob).filter({ hasText: 'line 59' }).waitFor();
  await becomes(() => pinned(bob).first().innerText(), /line 59/, 'the latest comes first');
  await menuOf(ann, 'line 59');
  await ann.getByRole('menuitem', { name: 'Unpin', exact: true }).waitFor();
  await accessible(ann, 'pins-menu');
  await ann.keyboard.press('Escape');
});

story('a pinned message of long ago is gone to, again and again', async ({ ann }) => {
  await call('ann', 'PUT', `/rooms/${room.id}/messages/${await numberOf('agenda: tea')}/pin`);
  const agenda = pinned(ann).filter({ hasText: 'agenda: tea' });
  for (let i = 0; i < 2; i++) {
    await main(ann).evaluate((box) => (box.scrollTop = box.scrollHeight));
    await of(main(ann), 'cake?').waitFor();
    await agenda.click();
    // It is marked for a moment only.
    await ann.waitForFunction(() => document.activeElement?.matches('.highlighted'));
    await hasFocus(of(main(ann), 'agenda: tea'));
  }
  await panel(ann).waitFor(); // it stays beside the messages
  await accessibleEverywhere(ann, 'pins');
});

story('on a phone the list makes way for the message, and Back leads to it again', async ({ bob }) => {
  await pinned(bob).filter({ hasText: 'agenda: tea' }).tap();
  await of(main(bob), 'agenda: tea').waitFor();
  await panel(bob).waitFor({ state: 'detached' });
  await bob.goBack();
  await pinned(bob).filter({ hasText: 'agenda: tea' }).waitFor();
});

story('a reply in a thread is pinned, and leads to its thread', async ({ ann }) => {
  const thread = await numberOf('cake?');
  const { seq } = await call('bob', 'POST', `/rooms/${room.id}/messages`, { key: 'reply', text: 'with cream', thread });
  await call('ann', 'PUT', `/rooms/${room.id}/messages/${seq}/pin`);
  await pinned(ann).filter({ hasText: 'with cream' }).click();
  const beside = ann.getByRole('complementary', { name: 'Thread' });
  await of(beside, 'with cream').hover();
  await of(beside, 'with cream').getByRole('button', { name: 'More actions' }).click();
  await ann.getByRole('menuitem', { name: 'Unpin', exact: true }).click();
  await ann.getByText('Unpinned', { exact: true }).waitFor();
  await ann.goBack();
  await pinned(ann).filter({ hasText: 'agenda: tea' }).waitFor();
  await becomes(() => pinned(ann).filter({ hasText: 'with cream' }).count(), 0);
});

story('what is changed or deleted is so in the list, and one is unpinned there by keyboard', async ({ ann, bob }) => {
  const path = async (text) => `/rooms/${room.id}/messages/${await numberOf(text)}`;
  await call('ann', 'PATCH', await path('agenda: tea'), { text: 'agenda: *coffee*' });
  await pinned(bob).filter({ hasText: 'agenda: coffee' }).waitFor();
  await call('bob', 'DELETE', await path('line 59'));
  await pinned(bob).filter({ hasText: 'line 59' }).waitFor({ state: 'detached' });

  await panel(ann).getByRole('button', { name: /^Unpin Ann: cake/ }).focus();
  await ann.keyboard.press('Enter');
  await pinned(bob).filter({ hasText: 'cake?' }).waitFor({ state: 'detached' });
  await ann.waitForFunction(() => document.activeElement?.textContent.includes('agenda: coffee'));
  await becomes(() => pinned(ann).count(), 1);
});

story('the list that cannot be loaded says so, and is asked for again', async ({ bob }) => {
  await bob.route('**/pins', (route) => route.abort());
  await call('ann', 'PUT', `/rooms/${room.id}/messages/${await numberOf('line 3')}/pin`);
  await panel(bob).getByText('Couldn’t load the pinned messages').waitFor();
  await bob.unroute('**/pins');
  await panel(bob).getByRole('button', { name: 'Try again' }).tap();
  await pinned(bob).filter({ hasText: 'line 3' }).waitFor();
});

story('in an archived room the list is read, and nothing is pinned', async ({ ann, bob }) => {
  await call('ann', 'PATCH', `/rooms/${room.id}`, { archived: true });
  await panel(ann).getByRole('button', { name: /^Unpin/ }).first().waitFor({ state: 'detached' });
  await menuOf(ann, 'line 3');
  await ann.getByRole('menuitem', { name: 'Copy text' }).waitFor();
  await becomes(() => ann.getByRole('menuitem', { name: 'Pin', exact: true }).count(), 0);
  await becomes(() => pinned(bob).count(), 2);
});
