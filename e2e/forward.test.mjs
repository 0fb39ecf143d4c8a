// A message goes to another room: Ann is in both, Bob with his phone only where it goes.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { becomes, composer, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

let soup; // the address of a message in a room that Ann alone is in

const { call, story, server } = workshop([['bob', 'what do we eat?']]);

const of = (page, text) =>
  page.locator('#messages article[data-message]').filter({ has: page.getByText(text, { exact: true }) }).last();

story('a message is forwarded by the keyboard, with a text', async ({ ann }) => {
  const office = await call('ann', 'POST', '/rooms', { kind: 'private', name: 'Office' });
  const said = await call('ann', 'POST', `/rooms/${office.id}/messages`, { key: 'o', text: 'soup, **with** bread' });
  soup = `${server.url}/rooms/${office.id}/${said.seq}`;
  await ann.getByRole('link', { name: /Office/ }).click();
  await of(ann, 'soup, with bread').focus();
  await ann.keyboard.press('f');
  const choose = ann.getByRole('dialog', { name: 'Forward to…' });
  await choose.getByRole('option', { name: /Workshop/ }).waitFor();
  await accessible(ann, 'forward-choose');
  await shot(ann, 'forward-choose');
  await ann.keyboard.type('work');
  await ann.keyboard.press('Enter');
  await ann.getByRole('dialog', { name: 'Forward to Workshop' }).waitFor();
  await ann.getByLabel('Your message (optional)').fill('from the office');
  await accessible(ann, 'forward');
  await shot(ann, 'forward');
  await ann.getByRole('button', { name: 'Forward', exact: true }).click();
  await ann.getByText('Forwarded to Workshop').waitFor();
  await ann.getByRole('button', { name: 'Show' }).click();
  await of(ann, 'from the office').getByRole('link', { name: 'Go to the original message' }).waitFor();
  await accessibleEverywhere(ann, 'forwarded');
  await shot(ann, 'forwarded');
});

story('who is not in the other room reads the copy, and who is goes there', async ({ ann, bob }) => {
  const copy = of(bob, 'from the office');
  await copy.getByText('Forwarded from Ann').waitFor();
  await copy.getByText('with', { exact: true }).waitFor();
  await becomes(() => copy.getByRole('link').count(), 0);
  assert.ok(!(await bob.content()).includes('>Office<'), 'its name is told');
  await accessible(bob, 'forwarded-phone');
  await shot(bob, 'forwarded-phone');
  await of(ann, 'from the office').getByRole('link', { name: 'Go to the original message' }).click();
  await ann.locator('#messages').getByText('with', { exact: true }).waitFor();
  await ann.getByRole('heading', { name: /Office/ }).first().waitFor();
});

story('a link shows its message to whoever may read that, and opens in the same page', async ({ ann, bob }) => {
  await ann.getByRole('link', { name: /Workshop/ }).click();
  const box = composer(ann);
  await box.fill('the soup ');
  await box.evaluate((b, address) => {
    b.setSelectionRange(4, 8);
    const data = new DataTransfer();
    data.setData('text/plain', address);
    b.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    b.setSelectionRange(0, 3);
  }, soup);
  await ann.keyboard.press('Control+b');
  await becomes(() => box.inputValue(), `**the** [soup](${soup}) `);
  await box.press('End');
  await box.pressSequentially('#off');
  await ann.getByRole('option', { name: '#Office' }).waitFor();
  await ann.keyboard.press('Enter');
  await ann.keyboard.press('Enter');
  const card = ann.getByRole('article').last().getByRole('link', { name: /soup, with bread/ });
  await card.waitFor();
  await ann.getByRole('article').last().getByRole('link', { name: '#Office' }).waitFor();
  await accessibleEverywhere(ann, 'linked');
  await bob.getByRole('article').last().getByRole('link', { name: '#Office' }).waitFor();
  await becomes(() => bob.getByRole('article').last().getByRole('link').count(), 2, 'only what was written');
  await card.click();
  await ann.waitForURL(soup);
  assert.equal(ann.context().pages().length, 1);
});

story('what is edited or deleted is so below links to it, too', async ({ ann }) => {
  await ann.getByRole('link', { name: /Workshop/ }).click();
  const card = ann.getByRole('article').last().locator('figure').getByRole('link');
  await card.getByText('soup, with bread').waitFor();
  const message = new URL(soup).pathname.replace(/(\d+)$/, 'messages/$1');
  await call('ann', 'PATCH', message, { text: 'stew, with bread' });
  await card.getByText('stew, with bread').waitFor();
  await call('ann', 'DELETE', message);
  await card.getByText('Message deleted').waitFor();
  await becomes(() => card.getByText('bread').count(), 0);
});
