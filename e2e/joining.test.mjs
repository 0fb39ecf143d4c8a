// Firmware from somebody else: a link of the publisher, what the owner of a device agrees to, and taking it back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { becomes, launch, shot, signUp, visitor } from './people.mjs';
import { Server } from './server.mjs';

const server = new Server({ UNHIDRA_CAPTCHA: 'off' });
let browser;
let ann;
let bob;

before(async () => {
  await server.start();
  browser = await launch();
  ann = await visitor(browser, { reducedMotion: 'reduce' });
  await ann.goto(server.setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator account');
  await ann.getByRole('heading', { name: /^Welcome/ }).waitFor();
  bob = await visitor(browser, { reducedMotion: 'reduce' });
  await bob.goto(`${server.url}/sign-up`);
  await signUp(bob, 'bob', 'Bob Jones', 'Create account');
  await bob.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

after(async () => {
  await browser?.close();
  await server.close();
});

test('a device takes firmware from somebody else, until its owner takes that back', async () => {
  await ann.goto(`${server.url}/firmware/new`);
  await ann.getByLabel('Project name').fill('greenhouse');
  await ann.getByRole('button', { name: 'Create product' }).click();
  await ann.getByText('Let others join').click();
  await ann.getByRole('button', { name: 'Create link' }).click();
  const link = await ann.getByText(/\/firmware\/join\/[A-Z2-7]{26}$/).textContent();
  await accessibleEverywhere(ann, 'joining-share');

  await bob.goto(`${server.url}/devices`);
  await bob.getByRole('link', { name: 'Register a device' }).first().click();
  await bob.getByLabel('Device name').fill('Tank');
  await bob.getByRole('button', { name: 'Create key' }).click();
  await bob.getByLabel('Key for Tank').waitFor();
  await bob.goto(link);
  await bob.getByText('Ann Smith publishes the firmware “greenhouse”').waitFor();
  await bob.getByLabel('Device').selectOption({ label: 'Tank' });
  await bob.getByLabel('Ask me about each release').check();
  await accessibleEverywhere(bob, 'joining-terms');
  await shot(bob, 'joining-terms');
  await bob.getByRole('button', { name: 'Agree' }).click();
  await bob.getByText('Its firmware comes from Ann Smith: greenhouse.').waitFor();
  await becomes(() => bob.getByLabel('Ask me about each release').isChecked(), true);
  await accessibleEverywhere(bob, 'joining-device');

  await ann.reload();
  await ann.getByText('1 device of somebody else has joined.', { exact: false }).waitFor();
  await bob.getByRole('button', { name: 'Take it back' }).click();
  await bob.getByRole('dialog').getByRole('button', { name: 'Take it back' }).click();
  await bob.getByRole('link', { name: 'Take firmware from a publisher' }).waitFor();
  assert.equal(ann.broken ?? bob.broken, undefined);
});
