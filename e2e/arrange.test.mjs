// A person arranges their rooms: favourites and sections, at a desk, and they are there on the phone.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { atRest, becomes } from './people.mjs';
import { said, workshop } from './workshop.mjs';

const { room, call, register, story, device } = workshop(said('bob', 60));

const rail = (page) => page.getByRole('navigation', { name: 'Rooms and people' });
const section = (page, name) => rail(page).getByRole('group', { name, exact: true });
const row = (page, part, name) => section(page, part).getByRole('link', { name });
const dialog = (page) => page.getByRole('dialog');
const item = (page, name) => page.getByRole('menuitem', { name, exact: true });
const sections = () => call('ann', 'GET', '/me/sections');

let phone;

/** Runs what the palette finds. */
async function palette(page, words) {
  await becomes(() => dialog(page).count(), 0, 'a dialog has the keys'); // the one before may still be closing
  await page.keyboard.press('Control+k');
  await dialog(page).getByRole('combobox').fill(words);
  await page.keyboard.press('Enter');
}

story('a key makes the open room a favourite, and the palette takes it back', async ({ ann }) => {
  for (const name of ['Bakery', 'Garden']) await call('ann', 'POST', '/rooms', { kind: 'public', name });
  phone = await device('ann');
  await phone.goto(new URL(phone.url()).origin);
  await row(ann, 'Rooms', 'Garden').waitFor();
  await ann.keyboard.press('Alt+Shift+F');
  for (const page of [ann, phone]) await row(page, 'Favourites', 'Workshop').waitFor();
  await palette(ann, 'remove workshop');
  await row(phone, 'Rooms', 'Workshop').waitFor();
  await becomes(() => section(ann, 'Favourites').count(), 0);
});

story('a room goes to a new section by the keyboard alone', async ({ ann }) => {
  await row(ann, 'Rooms', 'Bakery').focus();
  await ann.keyboard.press('f');
  await row(ann, 'Favourites', 'Bakery').waitFor();
  await row(ann, 'Rooms', 'Garden').focus();
  await ann.keyboard.press('m');
  await item(ann, 'Move to section').waitFor();
  await accessible(ann, 'rail-menu');
  await ann.keyboard.press('ArrowDown');
  await ann.keyboard.press('Enter');
  await dialog(ann).getByRole('radio', { name: 'New section' }).check();
  await dialog(ann).getByLabel('Name of the section').fill('Outside');
  await accessible(ann, 'section-dialog');
  await ann.keyboard.press('Enter');
  await row(phone, 'Outside', 'Garden').waitFor();
  await becomes(() => row(phone, 'Rooms', 'Garden').count(), 0, 'a room is in one section');
});

story('sections are named, ordered and closed, and the phone follows', async ({ ann }) => {
  await palette(ann, 'new section');
  await dialog(ann).getByLabel('Name of the section').fill('outside');
  await dialog(ann).getByText('You have a section with this name already.').waitFor();
  await dialog(ann).getByLabel('Name of the section').fill('Inside');
  await ann.keyboard.press('Enter');
  await section(phone, 'Inside').waitFor();
  await section(ann, 'Inside').getByRole('button', { name: 'More for Inside' }).click();
  await item(ann, 'Move up').click();
  await ann.waitForFunction(() => /Inside[^]*Outside/.test(document.querySelector('nav').innerText));
  // The list does not wait for the server.
  await becomes(async () => (await sections()).sections.map((s) => s.name), ['Inside', 'Outside']);
  await accessibleEverywhere(ann, 'sections');
  await section(ann, 'Outside').getByRole('button', { name: 'Outside', exact: true }).click();
  await row(phone, 'Outside', 'Garden').waitFor({ state: 'detached' });
  const garden = (await sections()).sections[1].rooms[0];
  await call('bob', 'POST', `/rooms/${garden}/join`);
  await call('bob', 'POST', `/rooms/${garden}/messages`, { key: 'tulips', text: 'tulips are up' });
  await row(phone, 'Outside', /Garden.*1 unread message/).waitFor();
  await accessible(phone, 'sections-phone');
});

story('a section that is deleted leaves its rooms, and can be taken back', async ({ ann }) => {
  await section(ann, 'Outside').getByRole('button', { name: 'More for Outside' }).click();
  await item(ann, 'Delete section').click();
  await ann.getByRole('button', { name: 'Undo' }).hover(); // so long it stays
  await row(phone, 'Unread', 'Garden').waitFor();
  await ann.getByRole('button', { name: 'Undo' }).click();
  await row(phone, 'Outside', 'Garden').waitFor();
});

story('what is marked in the palette stays so when people come, who are asked for', async ({ ann }) => {
  await register('bake', 'Bake');
  let go;
  const held = new Promise((done) => (go = done));
  await ann.route(/\/users\?/, async (route) => {
    await held;
    await route.continue();
  });
  const asked = ann.waitForRequest(/\/users\?/);
  await becomes(() => dialog(ann).count(), 0);
  await ann.keyboard.press('Control+k');
  await dialog(ann).getByRole('combobox').fill('bake');
  const marked = dialog(ann).getByRole('option', { selected: true });
  await becomes(() => marked.innerText(), /\bBakery\b/);
  await asked;
  go();
  await dialog(ann).getByRole('option', { name: /\bBake\b/ }).waitFor();
  await becomes(() => dialog(ann).getByRole('option').first().innerText(), /\bBake\b/, 'who fits best comes first');
  assert.match(await marked.innerText(), /\bBakery\b/);
  await ann.keyboard.press('Enter');
  await ann.getByRole('main', { name: 'Bakery' }).waitFor();
  await ann.unroute(/\/users\?/);
  await ann.goBack();
  await ann.getByRole('main', { name: 'Workshop' }).waitFor();
});

story('what could not be kept is as it was, and says so', async ({ ann }) => {
  await ann.route('**/me/sections', (route) => route.abort());
  await row(ann, 'Favourites', 'Bakery').hover();
  await section(ann, 'Favourites').getByRole('button', { name: 'More for Bakery' }).click();
  await item(ann, 'Remove from favourites').click();
  await ann.locator('.toast.bad').waitFor();
  await row(ann, 'Favourites', 'Bakery').waitFor();
  await ann.unroute('**/me/sections');
  await ann.reload();
  await row(ann, 'Favourites', 'Bakery').waitFor();
});

story('a switch leaves only what there is to read, and a muted room is quiet', async ({ ann }) => {
  await row(ann, 'Outside', 'Garden').waitFor();
  await palette(ann, 'show only unread');
  await row(ann, 'Rooms', 'Workshop').waitFor(); // it is open
  await becomes(() => row(ann, 'Favourites', 'Bakery').count(), 0);
  await accessible(ann, 'unread-only');
  await row(ann, 'Outside', 'Garden').focus();
  await ann.keyboard.press('m');
  const muted = ann.waitForResponse((r) => r.request().method() === 'PUT' && r.url().endsWith('/notifications'));
  await item(ann, 'Mute').click();
  await row(ann, 'Outside', 'Garden').waitFor({ state: 'detached' });
  await muted; // the list does not wait for it
  await ann.reload();
  await row(ann, 'Rooms', 'Workshop').waitFor();
  await becomes(() => rail(ann).getByRole('link', { name: 'Garden' }).count(), 0, 'this device remembers it');
  await rail(ann).getByRole('button', { name: 'Unread only' }).click();
  await section(ann, 'Outside').getByRole('button', { name: 'Outside', exact: true }).click();
  await row(ann, 'Outside', /Garden ?, muted/).waitFor();
  await accessible(ann, 'muted');
});

story('what names somebody is listed, and a room is read from its menu', async ({ ann }) => {
  await rail(ann).getByRole('link', { name: 'Mentions' }).click();
  await ann.getByRole('heading', { name: 'No mentions yet' }).waitFor();
  const say = (key, text) => call('bob', 'POST', `/rooms/${room.id}/messages`, { key, text });
  const { seq } = await say('named', '@ann, look at *this*');
  const mention = ann.getByRole('list', { name: 'Mentions' }).getByRole('link', { name: /@ann, look at this/ });
  await mention.waitFor();
  await accessibleEverywhere(ann, 'mentions');
  await row(ann, 'Unread', /Workshop/).focus();
  await ann.keyboard.press('m');
  await item(ann, 'Mark as read').click();
  await row(ann, 'Rooms', 'Workshop').waitFor();
  await say('again', 'and at this');
  await row(ann, 'Unread', /Workshop/).waitFor();
  await ann.keyboard.press('Shift+Escape');
  await row(ann, 'Rooms', 'Workshop').waitFor();
  await mention.click();
  await ann.waitForURL(new RegExp(`/${room.id}/${seq}$`));
  await ann.getByRole('article').filter({ hasText: 'look at this' }).waitFor();
});

story('a day leads to the first that was said on it, and one before the room to its beginning', async ({ ann }) => {
  await palette(ann, 'jump to a date');
  await dialog(ann).getByLabel('Day in Workshop').waitFor();
  await accessible(ann, 'to-date');
  await ann.keyboard.press('Enter');
  await ann.waitForFunction(() => document.activeElement?.textContent.includes('line 0'));
  await ann.getByRole('button', { name: 'Jump to latest' }).click();
  await ann.goto(`${new URL(ann.url()).origin}/rooms/${room.id}/2020-02-02`);
  await ann.waitForFunction(() => document.activeElement?.textContent.includes('line 0'));
  await ann.getByText('This is the beginning of #Workshop.').waitFor();
});

story('messages come closer, and what is read stays in sight', async ({ ann }) => {
  const first = ann.locator('article[data-message]').filter({ has: ann.getByText('line 1', { exact: true }) });
  const top = await atRest(first);
  const before = await first.boundingBox();
  await palette(ann, 'compact view');
  await ann.waitForFunction((h) => document.querySelectorAll('article')[1].offsetHeight < h, before.height);
  const moved = await atRest(first);
  assert.ok(Math.abs(moved - top) < 60, `moved from ${top} to ${moved}`);
  await accessibleEverywhere(ann, 'compact');
  await palette(ann, 'comfortable view');
  await ann.waitForFunction((h) => document.querySelectorAll('article')[1].offsetHeight === h, before.height);
});

story('a room gets an emoji, a colour and a picture, by which everybody tells it from others', async ({ ann, bob }) => {
  const tile = (page, part = 'Rooms') => row(page, part, 'Workshop').locator('.avatar');
  const place = (page) => tile(page).evaluate((node) => JSON.stringify(node.getBoundingClientRect()));
  await ann.goto(`${new URL(ann.url()).origin}/rooms/${room.id}?panel=details`);
  assert.equal(await tile(ann).innerText(), 'W');
  const before = await place(ann);
  await ann.getByRole('button', { name: 'Choose emoji' }).click();
  await ann.getByRole('combobox', { name: 'Search emoji' }).fill('wrench');
  await ann.keyboard.press('Enter');
  await ann.getByRole('radio', { name: 'Teal' }).check();
  for (const page of [ann, phone]) await tile(page).getByText('🔧').waitFor();
  await accessibleEverywhere(ann, 'look-emoji');
  await ann.locator('input[type=file][aria-label="Choose picture"]').setInputFiles({
    name: 'room.png',
    mimeType: 'image/png',
    buffer: await ann.screenshot({ clip: { x: 0, y: 0, width: 60, height: 60 } }),
  });
  for (const page of [ann, phone]) await tile(page).locator('img').waitFor();
  await bob.locator('header .avatar img').waitFor();
  await becomes(() => place(ann), before, 'nothing moves');
  await ann.getByRole('button', { name: 'Remove picture' }).click();
  await tile(ann).getByText('W', { exact: true }).waitFor();
  await ann.getByText('Ann changed how the room looks').first().waitFor();
  await accessibleEverywhere(ann, 'look-colour');
  await accessible(phone, 'look-phone');
  await bob.goto(`${new URL(bob.url()).origin}/rooms/${room.id}?panel=details`);
  await bob.getByRole('heading', { name: 'Room details' }).waitFor();
  assert.equal(await bob.getByText('How it looks').count(), 0, 'only its admins choose');
});

story('who joins a room that hides its history is told so, and who was there sees all of it', async ({ ann, bob }) => {
  const den = await call('ann', 'POST', '/rooms', { kind: 'private', name: 'Den' });
  await call('ann', 'POST', `/rooms/${den.id}/messages`, { key: 'before', text: 'from before' });
  await ann.goto(`${new URL(ann.url()).origin}/rooms/${den.id}?panel=details`);
  await ann.getByRole('switch', { name: 'Hide the history from new members' }).click();
  await ann.getByText('Ann hid the earlier history from new members').waitFor();
  const me = await call('bob', 'GET', '/me');
  await call('ann', 'POST', `/rooms/${den.id}/members`, { user: me.id });
  await call('ann', 'POST', `/rooms/${den.id}/messages`, { key: 'after', text: 'from after' });
  await bob.goto(`${new URL(bob.url()).origin}/rooms/${den.id}`);
  await bob.getByText('from after').first().waitFor();
  await bob.getByText('You see what was written since you joined.').waitFor();
  assert.equal(await bob.getByText('from before').count(), 0);
  await ann.locator('article').getByText('from before').waitFor();
  await ann.locator('article').getByText('from after').waitFor();
});

story('a question mark lists the keys', async ({ ann }) => {
  await ann.locator('#messages').focus();
  await ann.keyboard.press('?');
  await dialog(ann).getByText('In the list of rooms').waitFor();
  await accessible(ann, 'keys');
  await ann.keyboard.press('Escape');
});
