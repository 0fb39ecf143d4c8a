// What people do with groups of devices, and with devices that change hands: a group is told something at once and has
// settings of its own, a rule for it is changed, a device is offered and accepted, and all keys of a group are revoked.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { connectBoard, openBoard, report } from './board.mjs';
import { becomes, composer, launch, shot, signUp, visitor } from './people.mjs';
import { Server } from './server.mjs';

const server = new Server({ UNHIDRA_CAPTCHA: 'off' });
let browser;
let ann;
let bob;
let board;

before(async () => {
  await server.start();
  browser = await launch();
  ann = await visitor(browser, { reducedMotion: 'reduce' });
  await ann.goto(server.setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator account');
  bob = await visitor(browser, { reducedMotion: 'reduce' });
  await bob.goto(`${server.url}/register`);
  await signUp(bob, 'bob', 'Bob Jones', 'Create account');
  board = await openBoard(browser, server);
});

after(async () => {
  await browser?.close();
  await server.close();
});

const capabilities = {
  sensors: [{ name: 'temperature', title: 'Temperature', unit: 'Cel', kind: 'number' }],
  actuators: [{ name: 'fan', title: 'Fan', args: [{ name: 'on', kind: 'bool', required: true }] }],
  settings: [{ name: 'interval', title: 'Interval', kind: 'number', unit: 's', min: 5 }],
};

const register = async (name) => {
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: 'Register a device' }).first().click();
  await ann.getByLabel('Device name').fill(name);
  await ann.getByRole('button', { name: 'Create key' }).click();
  return ann.getByLabel(`Key for ${name}`).inputValue();
};

test('a group is told something at once, and says how far that has come', async () => {
  await connectBoard(board, await register('Pump'), capabilities);
  await report(board, { readings: { temperature: 21.5 } });
  await register('Lamp');
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: 'New group' }).click();
  await ann.getByLabel('Name of the group').fill('indoors');
  await ann.getByRole('radio', { name: /Chosen by hand/ }).check();
  await ann.getByRole('checkbox', { name: 'Pump' }).check();
  await ann.getByRole('checkbox', { name: 'Lamp' }).check();
  await ann.getByRole('button', { name: 'Create group' }).click();
  const controls = ann.getByRole('region', { name: 'All devices of the group' });
  await controls.getByRole('button', { name: 'On', exact: true }).click();
  await controls.getByText('1 of 2 done, 1 not told').waitFor();
  await controls.getByText('What went wrong').click();
  await controls.getByText('no such action').waitFor();
  await accessibleEverywhere(ann, 'device-group');
  await shot(ann, 'device-group');
  assert.deepEqual(await board.evaluate(() => globalThis.obeyed.args), { on: true });
});

test('settings of a group reach its devices, and stand at those as a default', async () => {
  await ann.getByText('Settings of its devices').click();
  await ann.getByLabel('Interval (s)').fill('30');
  await ann.getByRole('button', { name: 'Save', exact: true }).click();
  await board.waitForFunction(() => globalThis.settings?.interval === 30);
  await ann.getByRole('link', { name: /Pump/ }).first().click();
  await ann.getByPlaceholder(/^Default: 30.s$/).waitFor();
});

test('a rule for a group is changed', async () => {
  await ann.getByRole('button', { name: 'Add alarm' }).click();
  const form = ann.getByRole('form', { name: 'Add alarm' });
  await form.getByLabel('Limit (°C)').fill('30');
  await form.getByLabel('Applies to').selectOption('Devices of the group indoors');
  await form.getByRole('button', { name: 'Add', exact: true }).click();
  await ann.getByRole('button', { name: /Change Temperature above 30/ }).click();
  const change = ann.getByRole('form', { name: /Change Temperature above 30/ });
  await becomes(() => change.getByLabel('Applies to').inputValue(), 'group:indoors');
  await change.getByLabel('Limit (°C)').fill('35');
  await change.getByRole('button', { name: 'Save' }).click();
  await ann.getByText(/Temperature is above 35.°C.*for several devices/).waitFor();
  await becomes(() => ann.getByText(/above 30.°C/).count(), 0);
});

test('in a room, a group is one line', async () => {
  await ann.goto(server.url);
  await ann.getByRole('button', { name: 'Create room' }).first().click();
  await ann.getByRole('dialog').getByLabel('Name').fill('Garden');
  await ann.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await ann.getByRole('button', { name: 'Add people' }).first().click();
  await ann.getByRole('menuitem', { name: 'Add people' }).click();
  await ann.getByRole('combobox').fill('pump');
  await ann.getByRole('option', { name: /Pump/ }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Add people' }).click();
  await ann.getByRole('log').getByText(/Pump/).first().waitFor();
  const box = composer(ann);
  await box.fill('');
  await box.pressSequentially('/fan @in');
  await ann.getByRole('option', { name: /@indoors/ }).click();
  await box.pressSequentially('off');
  await ann.keyboard.press('Escape');
  await ann.keyboard.press('Enter');
  await ann
    .getByRole('log')
    .getByText(/Ann Smith told indoors “fan off”: 1 of 2 done, 1 not told/)
    .waitFor();
  assert.deepEqual(await board.evaluate(() => globalThis.obeyed.args), { on: false });
});

test('a device is offered, and is the other person’s once they accept', async () => {
  await bob.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: /Pump/ }).first().click();
  await ann.getByText('Hand over', { exact: true }).click();
  await ann.getByLabel('Username of the new owner').fill('bob');
  await ann.getByRole('button', { name: 'Offer', exact: true }).click();
  await ann.getByText('Offered to Bob Jones, who hasn’t answered yet.').waitFor();
  await bob.getByText(/Ann Smith offers you Pump/).waitFor();
  await accessibleEverywhere(bob, 'devices-offered');
  await shot(bob, 'devices-offered');
  await bob.getByRole('button', { name: 'Accept' }).click();
  await bob.getByRole('link', { name: /Pump/ }).first().click();
  await bob.getByText('Its former owner may know its key.').waitFor();
});

test('all keys of a group are revoked at once, and nothing of it stays connected', async () => {
  const valve = await openBoard(browser, server);
  await connectBoard(valve, await register('Valve'), capabilities);
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: 'New group' }).click();
  await ann.getByLabel('Name of the group').fill('leaked');
  await ann.getByRole('radio', { name: /Chosen by hand/ }).check();
  await ann.getByRole('checkbox', { name: 'Valve' }).check();
  await ann.getByRole('checkbox', { name: 'Lamp' }).check();
  await ann.getByRole('button', { name: 'Create group' }).click();
  await ann.getByRole('button', { name: 'Actions for leaked' }).click();
  await ann.getByRole('menuitem', { name: 'Revoke all keys' }).click();
  const dialog = ann.getByRole('dialog', { name: 'Revoke the keys of 2 devices?' });
  await dialog.getByText('1 of them is connected, and will be disconnected at once.').waitFor();
  await shot(ann, 'group-revoke-keys');
  const revoke = dialog.getByRole('button', { name: 'Revoke all keys' });
  await becomes(() => revoke.isDisabled(), true);
  await dialog.getByLabel('Type the name of the group').fill('leaked');
  await revoke.click();
  await ann.getByText('The keys are revoked, and none of the devices is connected any more.').waitFor();
  await accessibleEverywhere(ann, 'group-revoked');
  assert.equal(bob.broken, undefined);
  assert.equal(ann.broken, undefined);
});
