// A room votes in a poll: by pointer, with a finger, and by keyboard alone.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { becomes, composer } from './people.mjs';
import { workshop } from './workshop.mjs';

const { story } = workshop([['ann', 'what do we drink?']]);

const poll = (page) => page.getByRole('group', { name: 'Poll: Tea or coffee?' });
const choice = (page, text) => poll(page).getByRole('button', { name: new RegExp(`^${text}`) });
const votes = (page, text, n) =>
  choice(page, text).and(page.getByRole('button', { name: new RegExp(` ${n} votes?$`) }));

story('a poll is made by keyboard alone', async ({ ann, bob }) => {
  await composer(ann).focus();
  await ann.keyboard.type('/poll Tea or coffee? | tea | coffee');
  await ann.keyboard.press('Enter');
  const dialog = ann.getByRole('dialog', { name: 'Create a poll' });
  await dialog.waitFor();
  await becomes(() => dialog.getByLabel('Choice 2').inputValue(), 'coffee');
  await accessible(ann, 'poll-dialog');
  await dialog.getByRole('button', { name: 'Add a choice' }).focus();
  await ann.keyboard.press('Enter');
  await ann.waitForFunction(() => document.activeElement?.getAttribute('name') === 'choice-3');
  await ann.keyboard.type('water');
  await ann.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  for (const page of [ann, bob]) await votes(page, 'water', 0).waitFor();
  await becomes(() => composer(ann).inputValue(), '', 'what was typed is sent');
});

story('two people vote, and both see it at once', async ({ ann, bob }) => {
  await choice(bob, 'tea').tap();
  await votes(ann, 'tea', 1).waitFor();
  await poll(ann).locator('xpath=ancestor::article').focus();
  const focused = () => choice(ann, 'coffee').evaluate((b) => b === document.activeElement);
  for (let i = 0; i < 12 && !(await focused()); i++) await ann.keyboard.press('Tab');
  await ann.keyboard.press('Enter');
  await votes(bob, 'coffee', 1).waitFor();
  await becomes(() => choice(ann, 'coffee').getAttribute('aria-pressed'), 'true');
  assert.ok(await focused(), 'the focus stays');
  await choice(bob, 'coffee').tap();
  for (const page of [ann, bob]) await votes(page, 'coffee', 2).waitFor();
  await votes(ann, 'tea', 0).waitFor();
  await poll(ann).getByRole('button', { name: 'Who voted' }).click();
  await poll(ann).getByText('Bob').waitFor();
  await becomes(() => poll(bob).getByRole('button', { name: 'Close poll' }).count(), 0, 'others close nothing');
});

story('after it is closed nobody votes, also after a reload', async ({ ann, bob }) => {
  await poll(ann).getByRole('button', { name: 'Close poll' }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Close poll' }).click();
  for (const page of [ann, bob]) await poll(page).getByText('Closed', { exact: true }).waitFor();
  await becomes(() => choice(bob, 'tea').getAttribute('aria-disabled'), 'true');
  await ann.reload();
  await votes(ann, 'coffee', 2).waitFor();
  await becomes(() => choice(ann, 'coffee').getAttribute('aria-pressed'), 'true');
  await accessibleEverywhere(ann, 'poll');
  await accessible(bob, 'poll-phone');
  for (const page of [ann, bob]) assert.equal(page.broken, undefined);
});
