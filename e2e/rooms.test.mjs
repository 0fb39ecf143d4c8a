// What people see of rooms, members and devices: a newcomer's home, requests of
// strangers, a device that is brought in, two rooms of one name.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { becomes, composer, launch, line, shot, shotOfFailure, signUp, visitor } from './people.mjs';
import { Server } from './server.mjs';

const server = new Server({ UNHIDRA_ROOM_REQUESTS: 'strangers', UNHIDRA_CAPTCHA: 'off' });
let browser;
const people = {};

before(async () => {
  await server.start();
  browser = await launch();
  for (const name of ['ann', 'bob', 'cy'])
    people[name] = await visitor(
      browser,
      name === 'cy' ? { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } : {},
    );
});

after(async () => {
  await browser?.close();
  await server.close();
});

let broken = false;

/** A chapter; those after one that failed have nothing to stand on. */
function story(name, fn) {
  test(name, async (t) => {
    if (broken) return t.skip('a chapter before failed');
    try {
      await fn();
    } catch (err) {
      broken = true;
      for (const who of Object.keys(people)) {
        await shotOfFailure(people[who], who);
        console.log(who, await people[who].locator('body').ariaSnapshot());
      }
      throw err;
    }
  });
}

async function register(page, name, display) {
  await page.goto(`${server.url}/sign-up`);
  await signUp(page, name, display, 'Create account');
}

async function makeRoom(page, name, kind = 'Public') {
  await page.getByRole('button', { name: 'Add a room' }).click();
  await page.getByRole('menuitem', { name: 'Create room' }).click();
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('radio', { name: new RegExp(`^${kind}`) }).check();
}

story('a newcomer sees the rooms that are open, on a phone too', async () => {
  const { ann, bob, cy } = people;
  await ann.goto(server.setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator');
  await ann.getByRole('heading', { name: /^Welcome/ }).waitFor();
  await makeRoom(ann, 'Garden');
  await ann.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await composer(ann).fill('The roses are out.');
  await composer(ann).press('Enter');
  await line(ann, 'The roses are out.').waitFor();
  await register(bob, 'bob', 'Bob Jones');
  await register(cy, 'cy', 'Cy Young');
  for (const page of [bob, cy]) {
    const open = page.getByRole('region', { name: 'Open rooms' });
    await open.getByText('1 member').waitFor();
    await open.getByText('The roses are out.').waitFor();
  }
  await shot(bob, 'home-newcomer');
  await shot(cy, 'home-newcomer-phone');
  await bob.getByRole('button', { name: 'Join Garden' }).click();
  await line(bob, 'The roses are out.').waitFor();
});

story('a stranger asks, and is answered from one place', async () => {
  const { bob, cy } = people;
  await makeRoom(bob, 'Cellar', 'Private');
  await bob.getByRole('combobox', { name: /people/i }).fill('cy');
  await bob.getByRole('option', { name: /Cy Young/ }).click();
  await bob.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await cy.getByRole('button', { name: /Requests/ }).click();
  const dialog = cy.getByRole('dialog');
  await dialog.getByText('invites you to Cellar').waitFor();
  await shot(cy, 'requests-phone');
  await dialog.getByRole('button', { name: 'Accept' }).click();
  await cy.getByRole('heading', { name: 'Cellar' }).first().waitFor();
  await bob
    .getByText(/Cy Young joined/)
    .first()
    .waitFor();
  await bob.getByRole('textbox', { name: 'Message to Cellar', exact: true }).waitFor(); // a private room has no #
});

story('a device is brought into a room, and people stay at hand', async () => {
  const { bob } = people;
  await bob.goto(`${server.url}/settings/devices`);
  await bob.getByLabel('Device name').fill('Kitchen sensor');
  await bob.getByRole('button', { name: 'Register' }).click();
  await bob.getByText('Kitchen sensor').first().waitFor();
  await bob.goto(server.url);
  await bob.getByRole('link', { name: /Garden/ }).click();
  await bob.getByRole('button', { name: 'Add people' }).click();
  await bob.getByRole('menuitem', { name: 'Add people' }).click();
  await bob.getByRole('combobox').fill('kitch');
  await bob.getByRole('option', { name: /Kitchen sensor/ }).click();
  await bob.getByRole('dialog').getByRole('button', { name: 'Add people' }).click();
  await bob
    .getByText(/added Kitchen sensor/)
    .first()
    .waitFor();
  await bob.getByRole('button', { name: '3 members' }).click();
  const panel = bob.getByRole('complementary', { name: '3 members' });
  await panel.getByText('Kitchen sensor').waitFor();
  await shot(bob, 'members');
});

story('a second room of one name is told of before', async () => {
  const { bob } = people;
  await makeRoom(bob, 'garden ');
  await bob.getByText('There is already a room called garden.').waitFor();
  await shot(bob, 'room-twin');
  await bob.keyboard.press('Escape');
});

story('without a mail server nobody is offered another e-mail address', async () => {
  const { bob } = people;
  await bob.goto(`${server.url}/settings/security`);
  await bob.getByRole('button', { name: 'Change passphrase' }).waitFor();
  await becomes(() => bob.getByLabel('E-mail').count(), 0);
  await bob.goto(server.url);
});

story('who signs out is asked about drafts that the server has not, and leaves none behind', async () => {
  const { bob } = people;
  await bob.route('**/api/v1/me/drafts/*', (route) => route.abort());
  await bob.getByRole('dialog').waitFor({ state: 'detached' });
  await bob.getByRole('link', { name: /Garden/ }).click();
  await composer(bob).fill('half a thought');
  await bob.goto(`${server.url}/settings/account`);
  await bob.getByRole('button', { name: 'Sign out' }).click();
  const dialog = bob.getByRole('dialog', { name: 'Sign out?' });
  await dialog.getByText('1 draft or unsent message').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await bob.getByRole('button', { name: 'Sign out' }).click();
  await dialog.getByRole('button', { name: 'Discard and sign out' }).click();
  await bob.getByRole('heading', { name: 'Sign in' }).waitFor();
  const kept = await bob.evaluate(() => Object.entries(localStorage).flat().join(' '));
  assert.doesNotMatch(kept, /half a thought|unhidra\.(draft|outbox)/);
  await bob.unroute('**/api/v1/me/drafts/*');
});
