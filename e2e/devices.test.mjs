// What people see of devices: one is registered and sends readings, its chart is live and can be
// zoomed and read without a pointer, and what it can do is done from its page.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { connectBoard, openBoard, report } from './board.mjs';
import { becomes, composer, launch, line, shot, signUp, visitor } from './people.mjs';
import { Server } from './server.mjs';

const server = new Server({ UNHIDRA_CAPTCHA: 'off' });
let browser;
let ann;
let board;
let key;
let watches = 0; // requests to follow readings

before(async () => {
  await server.start();
  browser = await launch();
  ann = await visitor(browser, { reducedMotion: 'reduce' });
  ann.on('websocket', (ws) =>
    ws.on('framesent', ({ payload }) => JSON.parse(payload).type === 'watch_readings' && watches++),
  );
  await ann.goto(server.setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator account');
  board = await openBoard(browser, server);
});

after(async () => {
  await browser?.close();
  await server.close();
});

const capabilities = {
  model: 'Greenhouse node',
  firmware: '1.4.2',
  sensors: [
    { name: 'temperature', title: 'Temperature', unit: 'Cel', kind: 'number', precision: 1 },
    { name: 'humidity', title: 'Humidity', unit: '%RH', kind: 'number', precision: 0 },
    { name: 'door', title: 'Door', kind: 'bool' },
  ],
  actuators: [
    { name: 'fan', title: 'Fan', args: [{ name: 'on', kind: 'bool', required: true }] },
    {
      name: 'target',
      title: 'Target temperature',
      args: [{ name: 'value', kind: 'number', unit: 'Cel', min: 5, max: 35, required: true }],
    },
    { name: 'erase', title: 'Erase settings', destructive: true },
  ],
  settings: [
    { name: 'interval', title: 'Interval', kind: 'number', unit: 's', min: 5 },
    { name: 'mode', title: 'Mode', kind: 'choice', options: ['eco', 'turbo'] },
  ],
};

const connect = () => connectBoard(board, key, capabilities);

const says = async (box, text) =>
  ann.waitForFunction(([node, value]) => node.value === value, [await box.elementHandle(), text]);
const emptied = (box) => says(box, '');

test('a device is registered, and its page waits for it', async () => {
  await ann.getByRole('link', { name: 'Devices' }).click();
  await ann.getByRole('heading', { name: 'No devices yet' }).waitFor();
  await accessibleEverywhere(ann, 'devices-none');
  await ann.getByRole('link', { name: 'Register a device' }).first().click();
  await ann.getByLabel('Device name').fill('Greenhouse');
  await ann.getByRole('button', { name: 'Create key' }).click();
  key = await ann.getByLabel('Key for Greenhouse').inputValue();
  assert.match(key, /^dk_/);
  await ann.getByRole('button', { name: 'Tasmota' }).click();
  await ann.getByText('Backlog MqttHost').waitFor();
  await accessibleEverywhere(ann, 'devices-register');
  await ann.getByText('Waiting for the first connection').waitFor();
  await connect();
  await ann.getByText('Connected', { exact: true }).waitFor();
  await ann.getByRole('link', { name: 'Open device' }).click();
  await ann.getByRole('heading', { name: 'No readings yet' }).waitFor();
});

test('readings come at once, and their chart goes on by itself', async () => {
  const now = Date.now();
  await becomes(() => watches > 0, true, 'the page follows what comes');
  const followed = watches;
  const reports = Array.from({ length: 240 }, (_, i) => ({
    at: new Date(now - (240 - i) * 15_000).toISOString(),
    old: true,
    readings: {
      temperature: 20 + 4 * Math.sin(i / 30),
      humidity: 55 + Math.round(5 * Math.cos(i / 20)),
      door: i % 60 < 6,
    },
  }));
  const ack = await report(board, { reports });
  assert.equal(ack.accepted, 240);
  await report(board, { readings: { temperature: 24.6, humidity: 61, door: true } });
  const card = ann.getByRole('list', { name: 'Latest values' }).getByRole('link');
  await card.filter({ hasText: '24.6' }).waitFor();
  await becomes(() => card.count(), 3);
  const chart = ann.getByRole('application', { name: 'Chart of Temperature' });
  await chart.waitFor();
  await report(board, { readings: { temperature: 25.1 } });
  await card.filter({ hasText: '25.1' }).waitFor();
  assert.equal(watches, followed, 'what comes has the page ask anew');
  await chart.focus();
  await ann.keyboard.press('End');
  await ann.getByText(/25\.1/).last().waitFor();
  await accessibleEverywhere(ann, 'device-chart');
  await ann.getByLabel('Show as table').check();
  await ann.getByRole('columnheader', { name: 'Highest' }).waitFor();
  await ann.getByLabel('Show as table').uncheck();
  const download = ann.waitForEvent('download');
  await ann.getByRole('button', { name: 'Download CSV' }).click();
  const csv = readFileSync(await (await download).path(), 'utf8')
    .trim()
    .split(/\r?\n/);
  assert.equal(csv[0], 'time,series,unit,value,quality');
  assert.ok(csv.length > 240 && /,temperature,Cel,25\.1,/.test(csv.at(-1)), csv.at(-1));
});

test('a chart is zoomed by mouse and keyboard, and comes back to the present', async () => {
  const chart = ann.getByRole('application', { name: 'Chart of Temperature' });
  const box = await chart.boundingBox();
  await ann.mouse.move(box.x + box.width * 0.4, box.y + 80);
  await ann.mouse.down();
  await ann.mouse.move(box.x + box.width * 0.6, box.y + 80, { steps: 5 });
  await ann.mouse.up();
  await ann.getByRole('button', { name: 'Back to now' }).waitFor();
  await chart.focus();
  await ann.keyboard.press('-');
  await shot(ann, 'device-zoomed');
  await ann.keyboard.press('0');
  await ann.getByRole('button', { name: 'Back to now' }).waitFor({ state: 'detached' });
});

test('what a device can do is done, and one that cannot be undone asks first', async () => {
  const fan = ann.getByRole('form', { name: 'Fan' });
  await fan.getByRole('button', { name: 'On' }).click();
  await ann.getByText('Fan on', { exact: true }).waitFor();
  await ann.getByText('spinning').waitFor();
  await ann.getByText('Done').first().waitFor();
  assert.deepEqual(await board.evaluate(() => globalThis.obeyed.args), { on: true });
  const target = ann.getByRole('form', { name: 'Target temperature' });
  await target.getByLabel('value (°C)').fill('21.5');
  await target.getByRole('button', { name: 'Run' }).click();
  await ann.waitForFunction(() => document.body.textContent.match(/Target temperature 21.5\s*Done/));
  await ann.getByRole('form', { name: 'Erase settings' }).getByRole('button', { name: 'Run' }).click();
  await ann.getByRole('dialog', { name: 'Run “Erase settings”?' }).waitFor();
  await ann.keyboard.press('Escape');
  await accessibleEverywhere(ann, 'device-controls');
});

test('a device is set, and says what it did not take', async () => {
  const settings = ann.getByRole('region', { name: 'Settings' });
  await settings.getByLabel('Interval (s)').fill('30');
  await settings.getByLabel('Mode').selectOption('turbo');
  await settings.getByRole('button', { name: 'Save' }).click();
  await settings.getByText('this pump has no turbo').waitFor();
  await becomes(() => settings.getByLabel('Interval (s)').inputValue(), '30');
  await settings.getByLabel('Mode').selectOption('');
  await settings.getByRole('button', { name: 'Save' }).click();
  await settings.getByText('this pump has no turbo').waitFor({ state: 'detached' });
  await accessibleEverywhere(ann, 'device-settings');
});

test('the log of a device says what was refused', async () => {
  await report(board, { readings: { temperature: 'warm' } });
  const log = ann.locator('details').filter({ hasText: 'Log' });
  const refused = log.getByText('Reading refused: temperature');
  // Each time that it opens, it is read anew.
  const read = async () => {
    const answer = ann.waitForResponse((r) => r.url().endsWith('/log'));
    await log.locator('summary').click();
    await answer;
    const there = await refused.waitFor({ timeout: 1000 }).then(
      () => true,
      () => false,
    );
    if (!there) await log.locator('summary').click();
    return there;
  };
  await becomes(read, true, 'nothing was refused');
  await log.getByText('Setting: mode').waitFor();
  await accessibleEverywhere(ann, 'device-log');
});

test('the list shows who is there and what they say', async () => {
  await ann.getByRole('link', { name: 'All devices' }).click();
  const row = ann.getByRole('list', { name: 'Devices' }).getByRole('link', { name: /Greenhouse/ });
  await row.filter({ hasText: '25.1' }).filter({ hasText: 'Reporting now' }).waitFor();
  await accessibleEverywhere(ann, 'devices-list');
});

test('in a room a device is told by a slash, and answers under the command', async () => {
  await ann.goto(server.url);
  await ann.getByRole('button', { name: 'Create room' }).first().click();
  await ann.getByRole('dialog').getByLabel('Name').fill('Garden');
  await ann.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await ann.getByRole('button', { name: 'Add people' }).first().click();
  await ann.getByRole('menuitem', { name: 'Add people' }).click();
  await ann.getByRole('combobox').fill('green');
  await ann.getByRole('option', { name: /Greenhouse/ }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Add people' }).click();
  await line(ann, /added Greenhouse/)
    .first()
    .waitFor();
  const box = composer(ann);
  await box.fill('');
  await box.pressSequentially('/fa');
  await ann.getByRole('option', { name: /\/fan/ }).waitFor();
  await shot(ann, 'device-slash');
  await ann.keyboard.press('Enter');
  await ann.getByRole('option', { name: /off/ }).waitFor();
  await ann.keyboard.press('ArrowDown');
  await ann.keyboard.press('Enter');
  await becomes(() => box.inputValue(), '/fan off ');
  // Whoever presses Enter twice tells it once.
  const before = await board.evaluate(() => globalThis.commands);
  await box.evaluate((node) => {
    for (let i = 0; i < 2; i++) node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  });
  await ann
    .getByRole('log')
    .getByText(/Ann Smith told Greenhouse “fan off”: done, spinning/)
    .waitFor();
  await emptied(box); // what is in the room may come before the answer
  assert.deepEqual(await board.evaluate(() => globalThis.obeyed.args), { on: false });
  await box.fill('/target warm');
  await ann.keyboard.press('Enter');
  await ann.getByText('value must be a number.').waitFor();
  await becomes(() => box.inputValue(), '/target warm');
  await box.fill('/etc/hosts is where names are');
  await ann.keyboard.press('Enter');
  await line(ann, '/etc/hosts is where names are').waitFor();
  assert.equal(await board.evaluate(() => globalThis.commands), before + 1);
});

test('a chart of a device is posted to the room, with its figures for those who do not see it', async () => {
  const box = composer(ann);
  await box.fill('');
  await box.pressSequentially('/ch');
  await ann.getByRole('option', { name: /chart/ }).click();
  await becomes(() => box.inputValue(), '/chart ');
  await box.pressSequentially('temp');
  await ann.keyboard.press('Tab'); // at once: what is chosen is of what is typed
  await says(box, '/chart temperature ');
  await box.pressSequentially('door 24h ');
  await ann.getByRole('option', { name: /^humidity/ }).waitFor();
  await ann.keyboard.press('Enter');
  const card = ann.getByRole('figure');
  await card.getByText('Ann Smith posted a chart of Greenhouse, 1 day').waitFor();
  await card.getByRole('img', { name: /^Temperature over 1 day: 25.1 °C at the end, lowest 16/ }).waitFor();
  await card.getByRole('img', { name: /^Door over 1 day: On at the end/ }).waitFor();
  await emptied(box); // what is in the room may come before the answer
  await accessibleEverywhere(ann, 'device-chart-card');
  await box.fill('/chart barn 24h');
  await ann.keyboard.press('Enter');
  await ann.getByText('The device measures nothing of that name.').waitFor();
  await box.fill('');
});

test('an alarm is raised in the room once, and acknowledged there', async () => {
  await ann.getByRole('link', { name: 'Devices' }).click();
  await ann.getByRole('link', { name: /Greenhouse/ }).click();
  await ann.getByRole('button', { name: 'Add alarm' }).click();
  const form = ann.getByRole('form', { name: 'Add alarm' });
  await form.getByLabel('Limit (°C)').fill('30');
  await form.getByLabel('For at least').selectOption('At once');
  await form.getByLabel('Post to').selectOption('Garden');
  await form.getByLabel('If nobody acknowledges').selectOption('Escalate after 5 minutes');
  await form.getByLabel('Mention').selectOption('Ann Smith');
  await accessibleEverywhere(ann, 'device-new-alarm');
  await form.getByRole('button', { name: 'Add', exact: true }).click();
  await ann.getByRole('list', { name: 'Alarm rules' }).getByText('Temperature above 30 °C').first().waitFor();
  await ann.getByText(/posted to Garden, escalates after 5 minutes/).waitFor();
  for (const temperature of [29, 31.5, 32]) await report(board, { readings: { temperature } });
  await ann.getByRole('link', { name: 'Garden' }).click();
  const log = ann.getByRole('log');
  await log.getByText(/Greenhouse raised an alarm: Temperature above 30 °C/).waitFor();
  await accessibleEverywhere(ann, 'device-room');
  await log.getByRole('button', { name: 'Acknowledge' }).click();
  await log.getByText(/\(acknowledged\)/).waitFor();
  await report(board, { readings: { temperature: 24 } });
  await log.getByText(/Temperature above 30 °C is over/).waitFor();
  await becomes(() => log.getByText(/raised an alarm/).count(), 1);
  assert.equal(ann.broken, undefined);
});

test('many devices are imported from a file, and again without doubles', async () => {
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: 'Import' }).click();
  const rows = Array.from({ length: 60 }, (_, i) => `Pump ${i};A-${i};pump;cellar`);
  const file = (extra) => ({
    name: 'fleet.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(['Name;Serial;Type;Tags', ...rows, ...extra].join('\r\n')),
  });
  const choose = ann.getByLabel('File with devices');
  await choose.setInputFiles(file(['Fan;A-5;;', 'Light;L-1;;Not a tag!']));
  await ann.getByText('60 registered · 2 failed').waitFor();
  const failed = ann.getByRole('list').filter({ hasText: 'Line 62' });
  await failed.getByText('Line 7 has the same serial number.').waitFor();
  await failed.getByText('Line 63').waitFor();
  await accessibleEverywhere(ann, 'devices-import');
  const waiting = ann.waitForEvent('download');
  await ann.getByRole('button', { name: 'Download 60 keys' }).click();
  const keys = readFileSync(await (await waiting).path(), 'utf8').split('\r\n');
  assert.match(keys[1], /^Pump 0,A-0,dev_\w{26},dk_\w{49}$/);
  assert.equal(keys.length, 62);
  await choose.setInputFiles(file(['Pump 60;A-60;pump;']));
  await ann.getByText('1 registered · 60 as before').waitFor();
  await ann.getByRole('link', { name: 'All devices' }).click();
  await ann.getByRole('searchbox', { name: 'Find a device' }).fill('a-59');
  await ann.getByRole('link', { name: /Pump 59/ }).waitFor();
  await becomes(() => ann.getByRole('link', { name: /Pump/ }).count(), 1);
  assert.equal(ann.broken, undefined);
});

test('devices that have something in common are a group', async () => {
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: 'New group' }).click();
  await ann.getByLabel('Name of the group').fill('cellar');
  await ann.getByLabel('Tag').fill('cellar');
  await ann.getByLabel('Type').fill('pump');
  await accessibleEverywhere(ann, 'devices-new-group');
  await ann.getByRole('button', { name: 'Create group' }).click();
  await ann.getByText('type pump · tag cellar').waitFor();
  await ann.getByRole('link', { name: /Pump 59/ }).waitFor();
  await becomes(() => ann.getByRole('link', { name: /Greenhouse/ }).count(), 0);
  await ann.getByRole('link', { name: 'All devices' }).click();
  await ann.getByRole('link', { name: 'New group' }).click();
  await ann.getByLabel('Name of the group').fill('indoors');
  await ann.getByRole('radio', { name: /Chosen by hand/ }).check();
  await ann.getByRole('checkbox', { name: 'Greenhouse' }).check();
  await ann.getByRole('button', { name: 'Create group' }).click();
  await ann.getByRole('link', { name: /Greenhouse/ }).waitFor();
  await ann.getByRole('link', { name: 'All devices' }).click();
  const groups = ann.getByRole('navigation', { name: 'Groups of devices' });
  await groups.getByRole('link', { name: 'cellar 60' }).waitFor();
  await accessibleEverywhere(ann, 'devices-groups');
  await groups.getByRole('link', { name: 'indoors 1' }).click();
  await ann.getByRole('button', { name: 'Actions for indoors' }).click();
  await ann.getByRole('menuitem', { name: 'Delete group' }).click();
  await ann.getByRole('dialog').getByRole('button', { name: 'Delete group' }).click();
  await groups.getByRole('link', { name: 'indoors' }).waitFor({ state: 'detached' });
  assert.equal(ann.broken, undefined);
});

test('a rule is for all devices of an owner, and is removed from all', async () => {
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: /Greenhouse/ }).first().click();
  await ann.getByRole('button', { name: 'Add alarm' }).click();
  const form = ann.getByRole('form', { name: 'Add alarm' });
  await form.getByLabel('When').selectOption('Nothing is heard');
  await form.getByLabel('Applies to').selectOption('All your devices');
  await form.getByRole('button', { name: 'Add', exact: true }).click();
  await ann.getByText(/5 minutes, for several devices/).waitFor();
  await ann.getByRole('button', { name: 'Remove Device is silent' }).click();
  await ann.getByRole('button', { name: 'Remove for all' }).click();
  await ann.getByText(/5 minutes, for several devices/).waitFor({ state: 'detached' });
});

test('alarms wait until maintenance is over, and its page says so', async () => {
  await ann.getByRole('button', { name: 'Add maintenance' }).click();
  const form = ann.getByRole('form', { name: 'Add maintenance' });
  await form.getByLabel('What for').fill('New pump');
  await form.getByLabel('How often').selectOption('Each week');
  for (const day of ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']) await form.getByLabel(day).check();
  await form.getByLabel('Begins at').fill('00:00');
  await form.getByLabel('Lasts').selectOption('8 hours');
  await accessibleEverywhere(ann, 'device-new-maintenance');
  await form.getByLabel('How often').selectOption('Once');
  await form.getByRole('button', { name: 'Add', exact: true }).click();
  await ann.getByText(/^Maintenance until .*New pump/).waitFor();
  await report(board, { readings: { temperature: 33 } });
  await ann.getByText(/not posted before/).waitFor();
  await accessibleEverywhere(ann, 'device-maintenance');
  await ann.getByRole('button', { name: 'Remove New pump' }).click();
  await ann.getByRole('link', { name: 'Garden' }).click();
  await ann.getByRole('log').getByText('raised during maintenance: New pump').waitFor();
  assert.equal(ann.broken, undefined);
});

test('the members of a room arrange a dashboard of its devices', async () => {
  await ann.getByRole('link', { name: 'Garden' }).click();
  await ann.getByRole('button', { name: 'Dashboard' }).click();
  await ann.getByRole('heading', { name: 'Nothing here yet' }).waitFor();
  await ann.getByRole('button', { name: 'Arrange' }).click();
  const form = ann.getByRole('form', { name: 'Add tile' });
  await form.getByLabel('Sensor').selectOption('Temperature');
  await form.getByRole('button', { name: 'Add tile' }).click();
  await form.getByLabel('Show').selectOption('Switch');
  await form.getByLabel('Action').selectOption('Fan');
  await form.getByRole('button', { name: 'Add tile' }).click();
  await form.getByLabel('Show').selectOption('Alarms of the room');
  await form.getByRole('button', { name: 'Add tile' }).click();
  await ann.getByRole('button', { name: 'Wide: Greenhouse · Temperature' }).click();
  await ann.getByRole('button', { name: 'Move Alarms earlier' }).click();
  await accessibleEverywhere(ann, 'dashboard-arrange');
  await ann.getByRole('button', { name: 'Save' }).click();
  await ann.getByRole('button', { name: 'Arrange' }).waitFor();
  const titles = ann.getByRole('region', { name: 'Dashboard' }).getByRole('heading', { level: 3 });
  await titles.nth(2).waitFor(); // the tiles come a moment after the button
  await becomes(() => titles.allInnerTexts(), ['Greenhouse · Temperature', 'Alarms', 'Greenhouse · Fan']);
  await report(board, { readings: { temperature: 22.4 } });
  await ann.getByText('22.4 °C', { exact: false }).first().waitFor();
  await ann.getByRole('button', { name: 'On', exact: true }).click();
  await ann.reload();
  await ann.getByRole('img', { name: /^Greenhouse · Temperature over 1 day/ }).waitFor();
  await accessibleEverywhere(ann, 'dashboard');
  await ann.getByRole('button', { name: 'Dashboard' }).click();
  await ann.getByRole('log').getByText(/Ann Smith told Greenhouse “fan on”/).last().waitFor();
  assert.equal(ann.broken, undefined);
});

test('a new device begins with a template', async () => {
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: /Greenhouse/ }).first().click();
  await ann.getByText('Save as template').click();
  await ann.getByLabel('Name of the template').fill('node');
  const form = ann.getByRole('group').filter({ hasText: 'Save as template' });
  await form.getByRole('button', { name: 'Save', exact: true }).click();
  await ann.getByText('Saved as node').waitFor();
  await accessibleEverywhere(ann, 'device-template');
  await ann.getByRole('link', { name: 'All devices' }).click();
  await ann.getByRole('link', { name: 'Register a device' }).click();
  await ann.getByLabel('Device name').fill('Second node');
  await ann.getByLabel('Template').selectOption('node');
  await ann.getByRole('button', { name: 'Create key' }).click();
  await ann.getByLabel('Key for Second node').waitFor();
  await ann.getByRole('link', { name: 'Devices', exact: true }).click();
  await ann.getByRole('link', { name: /Second node/ }).click();
  await ann.getByText('Greenhouse node').first().waitFor();
  await ann.getByRole('heading', { name: 'Controls' }).waitFor();
  assert.equal(ann.broken, undefined);
});
