// Ann wants to hear nothing of Bob any longer, on her phone neither, and then again.
import assert from 'node:assert/strict';
import { accessible } from './axe.mjs';
import { becomes, composer, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const { story, device } = workshop([
  ['ann', 'who has the ladder?'],
  ['bob', 'not me, ask elsewhere'],
]);

const main = (page) => page.locator('#messages');
const folded = (page) => main(page).getByRole('article', { name: 'Message from a blocked person' });
const says = (page, text) => main(page).getByText(text, { exact: true });

let phone;

story('who is blocked is folded on all devices, and is not told', async ({ ann, bob }) => {
  phone = await device('ann');
  await main(ann).getByRole('button', { name: 'Bob', exact: true }).first().click();
  const card = ann.getByRole('dialog', { name: 'Profile of Bob' });
  await card.getByRole('button', { name: 'Block' }).click();
  await card.getByText('You have blocked this person.').waitFor();
  await accessible(ann, 'blocked-card');
  await shot(ann, 'blocked-card');
  await ann.keyboard.press('Escape');
  for (const page of [ann, phone]) {
    await folded(page).waitFor();
    await says(page, 'not me, ask elsewhere').waitFor({ state: 'detached' });
  }
  await composer(bob).fill('hello @ann?');
  await composer(bob).press('Enter');
  await folded(phone).nth(1).waitFor();
  await shot(phone, 'blocked-folded-phone');
});

story('a folded message is shown when she asks for it, and has the focus', async ({ ann }) => {
  await folded(ann).nth(1).waitFor();
  await accessible(ann, 'blocked-folded');
  await shot(ann, 'blocked-folded');
  await folded(ann).first().getByRole('button', { name: 'Show' }).click();
  await says(ann, 'not me, ask elsewhere').waitFor();
  assert.match(await ann.evaluate(() => document.activeElement?.textContent ?? ''), /ask elsewhere/);
  await becomes(() => folded(ann).count(), 1);
});

story('the settings list whom she has blocked, and lift it for all devices', async ({ ann }) => {
  await ann.goto(new URL('/settings/blocked', ann.url()).href);
  await ann.getByRole('button', { name: 'Unblock Bob' }).waitFor();
  await accessible(ann, 'blocked-settings');
  await shot(ann, 'blocked-settings');
  await ann.getByRole('button', { name: 'Unblock Bob' }).click();
  await ann.getByText('Nobody is blocked').waitFor();
  await accessible(ann, 'blocked-none');
  await says(phone, 'not me, ask elsewhere').waitFor();
  await becomes(() => folded(phone).count(), 0);
});
