// A board is put into its room from the web client: by its cable or by Bluetooth, which are simulated in the page, and
// by a claim token.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { simulateBluetooth } from './bluetooth.mjs';
import { becomes, hasFocus, launch, password, shot, shotOfFailure, signUp, visitor } from './people.mjs';
import { simulateScanner, simulateSerial } from './serial.mjs';
import { Server } from './server.mjs';

const server = new Server({ UNHIDRA_CAPTCHA: 'off' });
let browser;
let ann;
let air; // the board over Bluetooth

before(async () => {
  await server.start();
  browser = await launch(['--use-fake-device-for-media-stream']); // a camera that shows no code
  ann = await visitor(browser, { reducedMotion: 'reduce', permissions: ['camera'] });
  await simulateSerial(ann);
  air = await simulateBluetooth(ann, {
    pop: 'abcdefgh',
    password: 'right',
    networks: [
      { ssid: 'Neighbours', rssi: -80 },
      { ssid: 'Café', rssi: -70, open: true },
      { ssid: 'Home', rssi: -48 },
      { ssid: 'Home', rssi: -60 },
      { ssid: 'Cellar', rssi: -90 },
    ],
  });
  await simulateScanner(ann, '{"ver":"v1","name":"PROV_A1B2C3","pop":"abcd","transport":"softap","security":2}');
  await ann.goto(server.setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator account');
  await ann.getByRole('button', { name: 'Create room' }).first().click();
  await ann.getByRole('dialog').getByLabel('Name').fill('Garden');
  await ann.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await ann.getByRole('heading', { name: 'Garden' }).first().waitFor();
});

after(async () => {
  await browser?.close();
  await server.close();
});

/** What the board is or does from now on. */
const board = (how) => ann.evaluate((h) => Object.assign(globalThis.board, h), how);

async function connect(name = 'Connect') {
  await ann.getByRole('button', { name, exact: true }).click();
}

test('a board is added to its room, and set up by its cable', async () => {
  try {
    await ann.getByRole('link', { name: 'Devices', exact: true }).click();
    await ann.getByRole('link', { name: 'Add a board' }).click();
    await ann.getByLabel('Device name').fill('Tank');
    await ann.getByLabel('Room', { exact: true }).selectOption('Garden');
    await ann.getByRole('button', { name: 'Continue' }).click();
    await ann.getByRole('heading', { name: 'Set up Tank' }).waitFor();

    await board({ taken: true });
    await connect();
    await ann.getByText('another program or page has it', { exact: false }).waitFor();
    await board({ taken: false });
    await connect('Connect again');
    await ann.getByText('This is unhidra 1.4.0 ESP32-C3.').waitFor();
    const network = ann.getByLabel('Wi-Fi network');
    await becomes(() => network.inputValue(), 'Home');
    await hasFocus(network);
    await ann.getByLabel('Wi-Fi password').fill('wrong');
    await ann.keyboard.press('Enter');
    await ann.getByText('The board couldn’t join Home.', { exact: false }).waitFor();
    await accessible(ann, 'boards-password');
    await board({ pull: true });
    await ann.getByRole('button', { name: 'Set up' }).click();
    await ann.getByText('The line has ended', { exact: false }).waitFor();
    await board({ pull: false });
    await connect('Connect again');
    await ann.getByLabel('Wi-Fi password').fill('right');
    const said = ann.getByText('Tank is online').first().waitFor(); // for a few seconds
    await ann.getByRole('button', { name: 'Set up' }).click();
    // It comes online, and its page opens by itself.
    await Promise.all([said, ann.getByRole('heading', { name: 'Tank', exact: true }).waitFor()]);
    const told = await ann.evaluate(() => globalThis.board.told.at(-1));
    assert.deepEqual([told.ssid, told.password, told.server], ['Home', 'right', server.url.replace('http', 'ws')]);
    await ann.getByRole('link', { name: 'Garden' }).click();
    await ann.getByRole('log').getByText(/added Tank/).waitFor();
    assert.equal(ann.broken, undefined);
  } catch (err) {
    await shotOfFailure(ann, 'ann');
    throw err;
  }
});

test('other firmware is told its network alone, and a claim token is made to be brought by hand', async () => {
  try {
    await ann.getByRole('link', { name: 'Devices', exact: true }).click();
    await ann.getByRole('link', { name: /Tank/ }).click();
    await ann.getByRole('link', { name: 'Set up the board' }).click();
    await board({ foreign: true });
    await connect();
    await ann.getByText('This board has other firmware.', { exact: false }).waitFor();
    await ann.getByLabel('Wi-Fi password').fill('nothing');
    await ann.getByRole('button', { name: 'Set up' }).click();
    await ann.getByText('The board couldn’t join Home.', { exact: false }).waitFor();
    await ann.getByLabel('Wi-Fi password').fill('right');
    await ann.getByRole('button', { name: 'Set up' }).click();
    await ann.getByRole('link', { name: 'http://192.0.2.9/' }).waitFor();

    await ann.getByText('Without this browser').click();
    await ann.getByLabel('Good for').selectOption('1 hour');
    await ann.getByRole('button', { name: 'Make a token' }).click();
    await becomes(() => ann.getByLabel('Claim token').inputValue(), /^dc_\w{38}$/);
    await ann.getByRole('img', { name: 'QR code' }).waitFor();
    await ann.getByText(`{"server":"${server.url.replace('http', 'ws')}","claim":"dc_`, { exact: false }).waitFor();
    const byToken = ann.locator('details').filter({ hasText: 'Without this browser' });
    const label = byToken.getByLabel('Text of the QR code');
    await label.fill('https://example.org');
    await ann.getByText('This is no label of a board.', { exact: false }).waitFor();
    await byToken.getByRole('button', { name: 'Scan with the camera' }).click();
    await ann.getByText('Join the network PROV_A1B2C3', { exact: false }).waitFor();
    await ann.getByText(`device provision --label '{"ver":"v1","name":"PROV_A1B2C3"`, { exact: false }).waitFor();
    await accessibleEverywhere(ann, 'boards-token');
    await label.fill('{"ver":"v1","name":"PROV_1","pop":"x","transport":"ble"}');
    await ann.getByText('PROV_1 is set up by Bluetooth', { exact: false }).waitFor();
    await ann.context().clearPermissions();
    await byToken.getByRole('button', { name: 'Scan with the camera' }).click();
    await ann.getByText('The browser doesn’t allow the camera here.', { exact: false }).waitFor();
    await ann.getByLabel('Address of this server').fill('https://chat.example.org');
    await ann.getByRole('button', { name: 'Make another token' }).click();
    await ann.getByText('wss://HOST:PORT', { exact: false }).waitFor();
    assert.equal(ann.broken, undefined);
  } catch (err) {
    await shotOfFailure(ann, 'ann');
    throw err;
  }
});

/** How Bluetooth and the board are from now on. */
const bluetooth = (how) => ann.evaluate((h) => Object.assign(globalThis.air, h), how);

test('a board is set up by Bluetooth, and each thing that goes wrong says what to do', async () => {
  const label = '{"ver":"v1","name":"PROV_B1","username":"wifiprov","pop":"abcdefgX","transport":"ble","security":2}';
  const section = ann.getByRole('region', { name: 'By Bluetooth' });
  const press = (name) => section.getByRole('button', { name }).click();
  const says = (text) => section.getByText(text, { exact: false }).waitFor();
  try {
    await ann.getByRole('link', { name: 'Devices', exact: true }).click();
    await ann.getByRole('link', { name: 'Add a board' }).click();
    await ann.getByLabel('Device name').fill('Pump');
    await ann.getByLabel('Room', { exact: true }).selectOption('Garden');
    await ann.getByRole('button', { name: 'Continue' }).click();
    await ann.getByRole('heading', { name: 'Set up Pump' }).waitFor();
    const ca = `-----BEGIN CERTIFICATE-----\n${'MII+/é'.repeat(200)}\n-----END CERTIFICATE-----\n`;
    await ann.locator('input[type=file]').setInputFiles({ name: 'ca.pem', mimeType: '', buffer: Buffer.from(ca) });
    await ann.getByText('The board is given these certificates', { exact: false }).waitFor();

    await section.getByLabel('Text of the QR code').fill(label);
    await becomes(() => section.getByLabel('Name of the board').inputValue(), 'PROV_B1');
    await bluetooth({ off: true });
    await press('Find the board');
    await says('There is no Bluetooth, or it is off.');
    await bluetooth({ off: false, none: true });
    await press('Find the board');
    await says('No board was chosen.');
    await bluetooth({ none: false, far: true });
    await press('Find the board');
    await says('The board doesn’t answer.');
    await bluetooth({ far: false });
    await press('Connect to it again');
    await says('The board refuses the proof of possession.');
    await accessible(ann, 'boards-proof');
    await section.getByLabel('Proof of possession').fill('abcdefgh');
    await ann.keyboard.press('Enter');

    const network = section.getByLabel('Wi-Fi network');
    const found = ['Home', 'Café (open)', 'Neighbours', 'Cellar', 'Another network'];
    await becomes(() => network.locator('option').allTextContents(), found);
    await hasFocus(network);
    await section.getByLabel('Wi-Fi password').fill('wrong');
    await press('Set up');
    await says('The board couldn’t join Home: the access point refuses the password.');
    await accessibleEverywhere(ann, 'boards-bluetooth');
    await network.selectOption('Another network');
    await section.getByLabel('Name of the network').fill('Elsewhere');
    await press('Set up');
    await says('The board doesn’t find Elsewhere.');
    await network.selectOption('Home');
    await bluetooth({ goneAt: 'unhidra' });
    await press('Set up');
    await says('The connection has ended');
    await bluetooth({ goneAt: '' });
    await press('Connect to it again');
    await network.waitFor();
    await section.getByLabel('Wi-Fi password').fill('right');
    const said = ann.getByText('Pump is online').first().waitFor(); // for a few seconds
    await press('Set up');
    await Promise.all([said, ann.getByRole('heading', { name: 'Pump', exact: true }).waitFor()]);
    const { ssid, server: address, ca: told } = air.given;
    assert.deepEqual([ssid, address, told], ['Home', server.url.replace('http', 'ws'), ca]);
    assert.ok(air.parts > 3, 'the certificates come in parts');
    // The board was asked for once: what had gone wrong was tried with the same one.
    const { chosen, filters } = await ann.evaluate(() => globalThis.air);
    assert.deepEqual([chosen, filters], [1, [{ name: 'PROV_B1' }]]);
    assert.equal(ann.broken, undefined);
  } catch (err) {
    await shotOfFailure(ann, 'ann');
    throw err;
  }
});

test('a browser without serial lines says what to do instead', async () => {
  const german = await visitor(browser, { reducedMotion: 'reduce', locale: 'de-DE' });
  await german.addInitScript(() => delete Navigator.prototype.serial);
  await german.goto(`${server.url}/sign-up`);
  await german.getByLabel('Name', { exact: true }).fill('Bob');
  await german.getByLabel('Benutzername').fill('bob');
  await german.getByRole('textbox', { name: 'Passphrase' }).fill(password);
  await german.getByRole('button', { name: 'Konto erstellen' }).click();
  await german.getByRole('link', { name: 'Geräte', exact: true }).click();
  await german.getByRole('link', { name: 'Board hinzufügen' }).click();
  await german.getByLabel('Gerätename').fill('Tank');
  await german.getByRole('button', { name: 'Weiter' }).click();
  await german.getByText('Dieser Browser erreicht keine Boards per Kabel.', { exact: false }).waitFor();
  await german.getByText('Dieser Browser kann kein Bluetooth.', { exact: false }).waitFor();
  await german.getByRole('button', { name: 'Code erstellen' }).click();
  await german.getByText('unhidra device provision --serial /dev/ttyUSB0', { exact: false }).waitFor();
  await shot(german, 'boards-de');
  assert.equal(german.broken, undefined);
});
