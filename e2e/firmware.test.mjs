// A maker's firmware in the web client: a product with keys that stay on the maker's machine, an image that is
// uploaded and looked into, a release that is signed offline and activated.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { espImage, factoryImage } from './esp.mjs';
import { atRest, becomes, launch, shot, signUp, visitor } from './people.mjs';
import { simulateSerial } from './serial.mjs';
import { Server } from './server.mjs';

const bin = new URL('../bin/unhidra', import.meta.url).pathname;
const server = new Server({ UNHIDRA_CAPTCHA: 'off' });
const dir = mkdtempSync(join(tmpdir(), 'unhidra-keys-')); // the maker's machine
let browser;
let ann;
let boards;

const maker = (...args) => execFileSync(bin, ['firmware', ...args], { cwd: dir, encoding: 'utf8' });
const file = (name) => join(dir, name);

before(async () => {
  await server.start();
  browser = await launch();
  ann = await visitor(browser, { reducedMotion: 'reduce' });
  await simulateSerial(ann);
  await ann.goto(server.setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator account');
  await ann.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

after(async () => {
  boards?.kill();
  await browser?.close();
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Saves what a click downloads. */
async function download(button, name) {
  const [got] = await Promise.all([ann.waitForEvent('download'), button.click()]);
  await got.saveAs(file(name));
  return got.suggestedFilename();
}

/** Chooses a file for a button. */
async function choose(label, ...paths) {
  const [chooser] = await Promise.all([
    ann.waitForEvent('filechooser'),
    ann.getByRole('button', { name: label }).click(),
  ]);
  await chooser.setFiles(paths);
}

test('a link to firmware that has ended says so, and one that is good says what is missing', async () => {
  await ann.goto(`${server.url}/firmware/join/KXOZ5WO5GSO3MBLIRB2362FDIA`);
  const code = ann.getByRole('textbox', { name: 'Code or product ID' });
  await ann.getByText(/Nothing is offered under this code any more/).waitFor();
  await becomes(() => code.getAttribute('aria-invalid'), 'true');
  await accessibleEverywhere(ann, 'firmware-join-ended');
  await ann.route('**/firmware/terms?*', (route) =>
    route.fulfill({ json: { name: 'pump', publisher: { id: 'usr_1', kind: 'user', display_name: 'Bo' } } }),
  );
  await code.fill('another');
  await ann.getByRole('button', { name: 'Continue' }).click();
  await ann.getByText(/You have no device of your own yet/).waitFor();
  await accessibleEverywhere(ann, 'firmware-join');
  await ann.unroute('**/firmware/terms?*');
});

test('a product is made, and trusts keys that the server does not have', async () => {
  await api('POST', '/rooms', { name: 'Workshop', kind: 'private' });
  await ann.goto(`${server.url}/devices`);
  await ann.getByRole('link', { name: 'Firmware' }).click();
  await ann.getByRole('heading', { name: 'No firmware yet' }).waitFor();
  await shot(ann, 'firmware-empty');
  await ann.getByRole('link', { name: 'New product' }).first().click();
  await ann.getByLabel('Project name').fill('greenhouse');
  await ann.getByLabel('Title').fill('Greenhouse controller');
  await ann.getByLabel('Room', { exact: true }).selectOption({ label: 'Workshop' });
  await ann.getByRole('button', { name: 'Create product' }).click();
  await ann.getByRole('heading', { name: 'Trusted keys' }).waitFor();
  await shot(ann, 'firmware-keys');
  const serverKey = ann.getByRole('button', { name: 'Download server.pub.pem' });
  assert.equal(await download(serverKey, 'server.pub.pem'), 'server.pub.pem');
  // What the page shows is typed as it stands there.
  const shown = await ann.getByLabel('Commands for your machine').innerText();
  for (const line of shown.replaceAll('\\\n', ' ').split('\n')) maker(...line.split(/\s+/).slice(2));
  writeFileSync(file('other.json'), '{"hello": "world"}');
  await choose('Upload root', file('other.json'));
  await ann.getByText('isn’t a signed document').waitFor();
  const keys = ['--root-key', 'boss.pub.pem', '--release-key', 'build.pub.pem', '--offer-key', 'server.pub.pem'];
  maker('root', '--product', 'greenhouse', ...keys, 'unsigned.json');
  await choose('Upload root', file('unsigned.json'));
  await ann.getByRole('alert').getByText('firmware sign').waitFor(); // what to do, in the server's words
  await choose('Upload root', file('root-1.json'));
  await ann.getByText('Root 1').waitFor();
  await ann.getByText('1 release key, 1 must sign').waitFor();
});

test('a device that knows only other protocols gets links, which are replaced and ended', async () => {
  const product = ann.url();
  const { device } = await api('POST', '/devices', { name: 'Tasmota plug' });
  await ann.goto(`${server.url}/devices/${device.id}`);
  await ann.getByText('Updates over other protocols').click();
  const make = ann.getByRole('button', { name: 'Create link' });
  await ann.getByLabel('Product').selectOption({ label: 'Greenhouse controller' });
  await ann.getByLabel('Revision').fill('C');
  await ann.getByText('A revision is a number such as 1.3').waitFor();
  await ann.getByLabel('Chip').fill('esp32c3');
  await becomes(() => make.isDisabled(), true);
  await ann.getByLabel('Revision').fill('0.3');
  await accessibleEverywhere(ann, 'device-ota-new');
  await make.click();
  const image = ann.getByText(/\/ota\/firmware\.bin\?link=/);
  await image.waitFor();
  await ann.getByText('esp32c3', { exact: true }).waitFor();
  await accessibleEverywhere(ann, 'device-ota');
  const answer = async (link) => (await fetch(link)).status;
  const first = await image.innerText();
  assert.equal(await answer(first), 304, 'the link is good, and there is no update');
  const sure = async (name) => {
    await ann.getByRole('button', { name }).click();
    await ann.getByRole('dialog').getByRole('button', { name }).click();
    await ann.getByText(first).waitFor({ state: 'detached' });
  };
  await sure('Replace links');
  await image.waitFor();
  assert.deepEqual([await answer(first), await answer(await image.innerText())], [404, 304]);
  await sure('End links');
  await make.waitFor();
  await api('DELETE', `/devices/${device.id}`);
  await ann.goto(product);
});

test('an image is looked into before it is released', async () => {
  writeFileSync(file('pump.bin'), espImage({ project: 'pump', version: '1.0.0' }));
  writeFileSync(file('cut.bin'), espImage({ project: 'greenhouse', version: '1.0.0' }).subarray(0, 40_000));
  writeFileSync(file('greenhouse.bin'), espImage({ project: 'greenhouse', version: '1.0.0', size: 2 << 20 }));
  await ann.getByRole('link', { name: 'New release' }).first().click();
  writeFileSync(file('empty.bin'), '');
  await choose('Choose image', file('empty.bin'));
  await ann.getByText('“empty.bin” is empty').waitFor();
  await choose('Choose image', file('cut.bin'));
  await ann.locator('.note.bad').first().waitFor();
  await becomes(() => ann.getByRole('button', { name: 'Create draft' }).count(), 0, 'a broken image makes no release');
  await shot(ann, 'firmware-broken');
  await ann.getByRole('button', { name: 'Choose another image' }).click();
  await choose('Choose image', file('pump.bin'));
  await ann.locator('.note.bad').filter({ hasText: 'pump' }).waitFor(); // of another product
  await ann.getByRole('button', { name: 'Choose another image' }).click();
  await choose('Choose image', file('greenhouse.bin'));
  await ann.getByText('v5.5.1').waitFor();
  await becomes(() => ann.getByLabel('Version', { exact: true }).inputValue(), '1.0.0');
  await becomes(() => ann.getByLabel('Version code').inputValue(), '1');
  for (const code of ['0', '99999999999', 'two']) {
    await ann.getByLabel('Version code').fill(code);
    await ann.getByText('Choose a whole number above 0').waitFor();
    await becomes(() => ann.getByRole('button', { name: 'Create draft' }).isDisabled(), true);
  }
  await ann.getByLabel('Version code').fill('1');
  await ann.getByLabel('Notes').fill('Waters at night.\nFixes the fan.');
  await shot(ann, 'firmware-new');
  await ann.getByRole('button', { name: 'Create draft' }).click();
  await ann.getByRole('heading', { name: '1.0.0', exact: true }).waitFor();
});

test('a release is signed on the maker’s machine, and activated', async () => {
  await ann.getByText('1 more signature is needed.').waitFor();
  await shot(ann, 'firmware-draft');
  const name = await download(ann.getByRole('button', { name: 'Download manifest' }), 'manifest.json');
  assert.equal(name, 'release-1.0.0.json');
  maker('keygen', 'stranger');
  writeFileSync(file('foreign.json'), readFileSync(file('manifest.json')));
  maker('sign', '--key', 'stranger.key.pem', 'foreign.json');
  await choose('Upload signed manifest', file('foreign.json'));
  await ann.getByRole('alert').filter({ hasText: /key/ }).waitFor();
  maker('sign', '--key', 'build.key.pem', '--image', 'greenhouse.bin', 'manifest.json');
  await choose('Upload signed manifest', file('manifest.json'));
  await ann.getByRole('button', { name: 'Activate' }).click();
  await ann.getByText(/^Active/).waitFor();
  await shot(ann, 'firmware-active');
  await ann.setViewportSize({ width: 390, height: 844 });
  await shot(ann, 'firmware-active-phone');
  await ann.setViewportSize({ width: 1440, height: 900 });
  await ann.getByRole('link', { name: 'Greenhouse controller' }).click();
  await ann.getByRole('list', { name: 'Releases' }).getByText('Active').waitFor();
  await shot(ann, 'firmware-product');
});

test('an active release is installed on a new board, which is simulated in the page', async () => {
  const board = (how) => ann.evaluate((h) => Object.assign(globalThis.board, h), how);
  const press = (name) => ann.getByRole('button', { name, exact: true }).click();
  const app = readFileSync(file('greenhouse.bin'));
  writeFileSync(file('factory.bin'), factoryImage(app));
  writeFileSync(file('factory-of-another.bin'), factoryImage(espImage({ project: 'greenhouse', version: '1.0.0' })));
  await ann.getByRole('list', { name: 'Releases' }).getByRole('link').first().click();
  await ann.getByRole('link', { name: 'Install on a board' }).click();
  await ann.getByText('Nobody has uploaded a factory image of 1.0.0', { exact: false }).waitFor();
  await ann.getByRole('link', { name: '1.0.0' }).click();
  await ann.getByText('No factory image for new boards').click();
  await choose('Choose factory image for esp32c3', file('factory-of-another.bin'));
  await ann.getByRole('alert').getByText('is not the image of this release', { exact: false }).waitFor();
  await choose('Choose factory image for esp32c3', file('factory.bin'));
  await ann.getByText(/With a factory image of 2.2/).waitFor();

  await ann.getByRole('link', { name: 'Install on a board' }).click();
  await board({ chip: 9 });
  await press('Connect the board');
  await ann.getByText('This board has an ESP32-S3, and the release is for esp32c3.', { exact: false }).waitFor();
  await board({ chip: 5, pullAt: 0x20000 });
  await press('Try again');
  await ann.getByText('This is an ESP32-C3 with 4 MB of flash.').waitFor();
  await accessibleEverywhere(ann, 'install-asking');
  await press('Install 1.0.0');
  await ann.getByText('The line has ended', { exact: false }).waitFor();
  await board({ pullAt: -1, rotten: true });
  await press('Try again');
  await press('Install 1.0.0');
  await ann.getByText('it holds something else than was written', { exact: false }).waitFor();
  await shot(ann, 'install-rotten');
  await board({ rotten: false });
  await press('Try again');
  await ann.getByRole('checkbox', { name: /Erase everything/ }).check();
  await press('Install 1.0.0');
  await ann.getByText('1.0.0 is on the board, and the board has checked it.').waitFor();
  const sum = await ann.evaluate(async (size) => {
    const { flash, erased } = globalThis.board;
    const hash = await crypto.subtle.digest('SHA-256', flash.subarray(0x20000, 0x20000 + size));
    return { erased, hash: [...new Uint8Array(hash)].map((b) => b.toString(16).padStart(2, '0')).join('') };
  }, app.length);
  assert.deepEqual(sum, { erased: 1, hash: createHash('sha256').update(app).digest('hex') });

  await ann.getByLabel('Device name').fill('Drip');
  await press('Continue');
  await ann.getByText('This is unhidra 1.4.0 ESP32-C3.').waitFor();
  await ann.getByLabel('Wi-Fi password').fill('right');
  await press('Set up');
  await ann.getByRole('heading', { name: 'Drip', exact: true }).waitFor();
  const devices = await api('GET', '/devices');
  await api('DELETE', `/devices/${devices.items.find((d) => d.name === 'Drip').id}`);
  await ann.goto(`${server.url}/firmware`);
  await ann.getByRole('link', { name: /Greenhouse controller/ }).click();
  await ann.getByRole('list', { name: 'Releases' }).getByText('Active').waitFor();
});

let token; // Ann's

/** Calls the API as Ann. Her page gives a token, and another one when that is over. */
async function api(method, path, body) {
  const ask = () =>
    fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
  let answer = token && (await ask());
  if (!answer || answer.status === 401) {
    const refreshed = await ann.evaluate(async () => {
      const headers = { 'Content-Type': 'application/json' };
      return (await fetch('/api/v1/auth/refresh', { method: 'POST', headers, body: '{}' })).json();
    });
    token = refreshed.access_token;
    answer = await ask();
  }
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 ? undefined : answer.json();
}

test('a bad build is rolled out, pauses by itself, and goes on without the revision that it fails on', async () => {
  const product = new URL(ann.url()).pathname.split('/')[2];
  const image = (name, ...args) =>
    execFileSync(bin, ['simulate', 'image', '--product', 'greenhouse', ...args, name], { cwd: dir, encoding: 'utf8' });
  image('v1.bin', '--version', '1.0.0', '--code', '1');
  image('v2.bin', '--version', '2.0.0', '--code', '2', '--fails', '100', '--revision', '3');
  boards = server.spawn(
    ['simulate', '--owner', 'ann', '--devices', '60', '--keys', 'devices.csv', '--server', server.url, '--mqtt', '']
      .concat(['--firmware', 'v1.bin', '--root', 'root-1.json', '--troubled', '0', '--every', '1m']),
    { cwd: dir },
  );
  await ann.getByRole('link', { name: 'New release' }).first().click();
  await choose('Choose image', file('v2.bin'));
  await ann.getByRole('button', { name: 'Create draft' }).click();
  await download(ann.getByRole('button', { name: 'Download manifest' }), 'v2.json');
  maker('sign', '--key', 'build.key.pem', '--image', 'v2.bin', 'v2.json');
  await choose('Upload signed manifest', file('v2.json'));
  await ann.getByRole('button', { name: 'Activate' }).click();
  await ann.getByRole('link', { name: 'Roll out' }).click();
  await ann.getByText('How carefully').waitFor();
  await accessibleEverywhere(ann, 'firmware-new-rollout');
  // The boards have told what they run. Fifteen of the most frequent revision are to be the first.
  let known = [];
  for (; known.length < 60; await new Promise((next) => setTimeout(next, 500))) {
    const { items } = await api('GET', '/devices?limit=200');
    const all = await Promise.all(items.map((d) => api('GET', `/devices/${d.id}/firmware`)));
    known = items.filter((d, i) => all[i].version && (d.revision = all[i].revision));
  }
  const first = known.filter((d) => d.revision === 1).slice(0, 15);
  for (const d of first) await api('PATCH', `/devices/${d.id}`, { tags: ['first'] });
  assert.equal(known.filter((d) => d.revision === 3).length, 3);
  // A test cannot wait for the days that a stage is watched, and ten minutes for each device.
  await ann.route('**/api/v1/firmware/rollouts', (route) => {
    const body = route.request().postDataJSON();
    body.plan.stages = [{ percent: 0, tag: 'first', soak: 1 }, { percent: 100 }];
    body.plan.timeouts = { confirm: 1 };
    return route.continue({ postData: JSON.stringify(body) });
  });
  await ann.getByLabel('Only devices with the tag').fill('no such');
  await ann.getByRole('button', { name: 'Start rollout' }).click();
  await ann.getByText('A tag has 1 to 32').waitFor();
  await ann.getByLabel('Only devices with the tag').fill('');
  await ann.getByLabel('Note').fill('The fan again');
  await ann.getByRole('button', { name: 'Start rollout' }).click();
  await ann.getByRole('heading', { name: 'Rollout of 2.0.0' }).waitFor();
  await shot(ann, 'firmware-rollout');
  const leaveOut = ann.getByRole('button', { name: /^Leave out esp32c3 revision 0\.3/ });
  await leaveOut.waitFor({ timeout: 120_000 });
  await ann.getByText('Paused by itself').waitFor();
  const rollout = ann.url();
  await accessibleEverywhere(ann, 'firmware-paused');
  // At night it is the room that tells of it, on a phone.
  await ann.setViewportSize({ width: 390, height: 844 });
  await ann.goto(server.url);
  await ann.getByRole('link', { name: /Workshop/ }).click();
  const card = ann.getByRole('log').getByText(/paused/i).last();
  await card.waitFor();
  await accessibleEverywhere(ann, 'firmware-room');
  // The crashes are one step away, by keys too.
  await ann.getByRole('link', { name: 'Show crashes' }).press('Enter');
  await ann.getByText('Guru Meditation Error').waitFor();
  const title = ann.getByRole('heading', { name: 'Crashes' });
  await ann.waitForFunction(() => document.activeElement?.id === 'crashes-title');
  const top = await atRest(title);
  assert.ok(top > 0 && top < 844, `the crashes begin at ${top}`);
  await accessibleEverywhere(ann, 'firmware-crashes');
  await ann.goBack();
  await ann.getByRole('button', { name: /0\.3/ }).click();
  await ann.getByRole('button', { name: /0\.3/ }).waitFor({ state: 'detached' });
  await ann.setViewportSize({ width: 1440, height: 900 });
  await ann.goto(rollout);
  await ann.getByText(/^Completed ·/).waitFor({ timeout: 120_000 });
  await accessibleEverywhere(ann, 'firmware-completed');
  await ann.goto(`${server.url}/devices/${first[0].id}`);
  await ann.getByText('Updates', { exact: true }).click();
  const update = ann.getByRole('group', { name: 'Updates' }).getByRole('row', { name: /2\.0\.0/ });
  await becomes(() => update.innerText(), /2\.0\.0\s*before: 1\.0\.0\s*Succeeded/);
  await accessibleEverywhere(ann, 'device-updates');
  await ann.goto(`${server.url}/firmware/${product}`);
  await ann.getByRole('list', { name: 'Rollouts' }).getByText('Completed').waitFor();
});

test('the pages of firmware are accessible, in both themes, and on a phone', async () => {
  const product = ann.url();
  for (const [name, url] of Object.entries({
    products: `${server.url}/firmware`,
    'new-product': `${server.url}/firmware/new`,
    product,
    'new-release': `${product}/new`,
  })) {
    await ann.goto(url);
    await ann.getByRole('main').locator('form, h2, ul').first().waitFor();
    await accessibleEverywhere(ann, `firmware-${name}`);
  }
  await ann.goto(product);
  await ann.getByRole('link', { name: /1\.0\.0/ }).click();
  await ann.getByRole('heading', { name: '1.0.0', exact: true }).waitFor();
  await accessibleEverywhere(ann, 'firmware-release');
  assert.equal(ann.broken, undefined);
});
