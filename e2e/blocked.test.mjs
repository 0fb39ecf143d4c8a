// Ann wants to hear nothing of Bob any longer, on her phone neither, and then again; and looks who else is there.
import { accessible } from './axe.mjs';
import { becomes, composer, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const { story, device, register } = workshop([
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
  await becomes(() => ann.evaluate(() => document.activeElement?.textContent ?? ''), /ask elsewhere/);
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

story('she finds whom she shares rooms with, and everybody when she asks', async ({ ann, bob }) => {
  await register('mira', 'Mira Stern');
  for (const [page, who] of [
    [ann, 'Bob'],
    [bob, 'Ann'],
  ]) {
    await page.goto(new URL('/people', page.url()).href);
    const row = (name) => page.getByRole('list', { name: 'People' }).getByRole('button', { name });
    await row(new RegExp(`^${who} .*Online`)).waitFor();
    await becomes(() => page.getByRole('list', { name: 'People' }).getByRole('listitem').count(), 1);
    await shot(page, `people-shared-${who}`);
    await page.getByRole('button', { name: 'Everyone' }).click();
    await row(/^Mira Stern/).waitFor();
    await accessible(page, `people-all-${who}`);
    await page.getByRole('searchbox', { name: 'Find people by name' }).fill('stern');
    await row(new RegExp(`^${who}`)).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Everyone' }).click();
    await page.getByText('Nobody has this name').waitFor();
  }
  await ann.getByRole('button', { name: 'Everyone' }).click();
  await ann.getByRole('button', { name: 'Message Mira Stern' }).click();
  await ann.getByRole('textbox', { name: 'Message to Mira Stern' }).waitFor();
});
