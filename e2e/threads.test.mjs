// People reply in threads: by keyboard alone, by pointer, and on a phone.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { shot } from './people.mjs';
import { said, workshop } from './workshop.mjs';

const { room, call, story } = workshop([...said('ann', 40), ['ann', 'tea?']]);

/** The row of a message in the room. */
const of = (page, text) =>
  page.locator('article[data-message]').filter({ has: page.getByText(text, { exact: true }) }).first();

const panel = (page) => page.getByRole('complementary', { name: 'Thread' });

story('a key opens the thread of a message, and a reply is written there', async ({ ann, bob }) => {
  await of(ann, 'tea?').focus();
  await ann.keyboard.press('t');
  await panel(ann).getByText('No replies yet').waitFor();
  await panel(ann).getByRole('textbox', { name: 'Reply in thread' }).fill('with milk');
  await ann.keyboard.press('Enter');
  await panel(ann).getByText('with milk', { exact: true }).waitFor();
  await of(bob, 'tea?').getByRole('button', { name: /1 reply/ }).waitFor();
  await accessible(ann, 'thread');
  await shot(ann, 'thread');
});

story('on a phone the thread is the whole page, and both see what the other says', async ({ ann, bob }) => {
  await of(bob, 'tea?').getByRole('button', { name: /1 reply/ }).tap();
  await panel(bob).getByText('with milk', { exact: true }).waitFor();
  assert.equal((await panel(bob).boundingBox()).width, 390);
  await panel(bob).getByRole('textbox').fill('and two sugars');
  await panel(bob).getByRole('button', { name: 'Send' }).tap();
  await panel(ann).getByText('and two sugars', { exact: true }).waitFor();
  await of(ann, 'tea?').getByRole('button', { name: /2 replies/ }).waitFor();
  await accessibleEverywhere(bob, 'phone-thread');
  await shot(bob, 'phone-thread');
  assert.ok(await panel(bob).getByRole('switch', { name: 'Follow this thread' }).isChecked());
});

story('a reply in the room says whom it answers by the whole name', async ({ ann }) => {
  const who = of(ann, 'with milk').locator('.quote .who');
  assert.equal(await who.innerText(), 'Ann');
  assert.ok(await who.evaluate((name) => name.scrollWidth <= name.clientWidth), 'the name is cut');
});

story('a reply that is deleted is counted no longer, and an address leads to the thread', async ({ ann, bob }) => {
  const { items } = await call('bob', 'GET', `/rooms/${room.id}/timeline?limit=1`);
  await call('bob', 'DELETE', `/rooms/${room.id}/messages/${items[0].seq}`);
  await of(ann, 'tea?').getByRole('button', { name: /1 reply/ }).waitFor();
  await panel(ann).getByText('and two sugars', { exact: true }).waitFor({ state: 'detached' });
  await bob.goto(ann.url());
  await panel(bob).getByText('with milk', { exact: true }).waitFor();
  await ann.keyboard.press('Escape');
  await panel(ann).waitFor({ state: 'detached' });
});
