// People reply in threads: by keyboard alone, by pointer, and on a phone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { launch, password, shot, visitor } from './people.mjs';
import { Server } from './server.mjs';

const server = new Server({ UNHIDRA_CAPTCHA: 'off' });
let browser;
const people = {};
const tokens = {};
let room;

async function call(who, method, path, body) {
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', ...(tokens[who] && { Authorization: `Bearer ${tokens[who]}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 ? undefined : answer.json();
}

async function signIn(page, name) {
  await page.goto(server.url);
  await page.getByLabel('Username or e-mail').fill(name);
  await page.getByRole('textbox', { name: 'Passphrase' }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('link', { name: /Workshop/ }).click();
  await of(page, 'tea?').waitFor();
}

before(async () => {
  await server.start();
  browser = await launch();
  for (const [name, display] of [
    ['ann', 'Ann'],
    ['bob', 'Bob'],
  ]) {
    const made = await call('', 'POST', '/auth/register', { username: name, display_name: display, password });
    tokens[name] = made.access_token;
  }
  room = await call('ann', 'POST', '/rooms', { kind: 'public', name: 'Workshop' });
  await call('bob', 'POST', `/rooms/${room.id}/join`);
  const messages = `/rooms/${room.id}/messages`;
  for (let i = 0; i < 40; i++) await call('ann', 'POST', messages, { key: `k${i}`, text: `line ${i}` });
  await call('ann', 'POST', messages, { key: 'tea', text: 'tea?' });
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
  for (const name of ['ann', 'bob']) {
    people[name] = await visitor(browser, name === 'bob' ? phone : {});
    await signIn(people[name], name);
  }
});

after(async () => {
  await browser?.close();
  await server.close();
});

/** The row of a message in the room. */
const of = (page, text) => page.locator('article[data-message]').filter({ has: page.getByText(text, { exact: true }) }).first();

const panel = (page) => page.getByRole('complementary', { name: 'Thread' });

function story(name, fn) {
  test(name, async () => {
    try {
      await fn(people);
    } catch (err) {
      for (const who of Object.keys(people)) {
        await shot(people[who], `failed-${who}`);
        console.log(who, await people[who].locator('body').ariaSnapshot());
      }
      throw err;
    }
  });
}

story('a key opens the thread of a message, and a reply is written there', async ({ ann, bob }) => {
  await of(ann, 'tea?').focus();
  await ann.keyboard.press('t');
  await panel(ann).getByText('No replies yet').waitFor();
  await panel(ann).getByRole('textbox').fill('with milk');
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
