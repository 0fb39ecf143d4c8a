// A maker's firmware in the web client: a product with keys that stay on the maker's machine, an image that is
// uploaded and looked into, a release that is signed offline and activated.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { espImage } from './esp.mjs';
import { launch, shot, signUp, visitor } from './people.mjs';
import { Server } from './server.mjs';

const bin = new URL('../bin/unhidra', import.meta.url).pathname;
const server = new Server({ UNHIDRA_CAPTCHA: 'off' });
const dir = mkdtempSync(join(tmpdir(), 'unhidra-keys-')); // the maker's machine
let browser;
let ann;

const maker = (...args) => execFileSync(bin, ['firmware', ...args], { cwd: dir, encoding: 'utf8' });
const file = (name) => join(dir, name);

before(async () => {
  await server.start();
  browser = await launch();
  ann = await visitor(browser, { reducedMotion: 'reduce' });
  await ann.goto(server.setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator account');
  await ann.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

after(async () => {
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

test('a product is made, and trusts keys that the server does not have', async () => {
  await ann.goto(`${server.url}/devices`);
  await ann.getByRole('link', { name: 'Firmware' }).click();
  await ann.getByRole('heading', { name: 'No firmware yet' }).waitFor();
  await shot(ann, 'firmware-empty');
  await ann.getByRole('link', { name: 'New product' }).first().click();
  await ann.getByLabel('Project name').fill('greenhouse');
  await ann.getByLabel('Title').fill('Greenhouse controller');
  await ann.getByRole('button', { name: 'Create product' }).click();
  await ann.getByRole('heading', { name: 'Trusted keys' }).waitFor();
  await shot(ann, 'firmware-keys');
  assert.equal(await download(ann.getByRole('button', { name: 'Download server.pub.pem' }), 'server.pub.pem'), 'server.pub.pem');
  // What the page shows is typed as it stands there.
  const shown = await ann.getByLabel('Commands for your machine').innerText();
  for (const line of shown.replaceAll('\\\n', ' ').split('\n')) maker(...line.split(/\s+/).slice(2));
  writeFileSync(file('other.json'), '{"hello": "world"}');
  await choose('Upload root', file('other.json'));
  await ann.getByText('isn’t a signed document').waitFor();
  await choose('Upload root', file('root-1.json'));
  await ann.getByText('Root 1').waitFor();
  await ann.getByText('1 release key, 1 must sign').waitFor();
});

test('an image is looked into before it is released', async () => {
  writeFileSync(file('pump.bin'), espImage({ project: 'pump', version: '1.0.0' }));
  writeFileSync(file('cut.bin'), espImage({ project: 'greenhouse', version: '1.0.0' }).subarray(0, 40_000));
  writeFileSync(file('greenhouse.bin'), espImage({ project: 'greenhouse', version: '1.0.0', size: 2 << 20 }));
  await ann.getByRole('link', { name: 'New release' }).first().click();
  await choose('Choose image', file('cut.bin'));
  await ann.locator('.note.bad').first().waitFor();
  assert.equal(await ann.getByRole('button', { name: 'Create draft' }).count(), 0, 'a broken image makes no release');
  await shot(ann, 'firmware-broken');
  await ann.getByRole('button', { name: 'Choose another image' }).click();
  await choose('Choose image', file('pump.bin'));
  await ann.locator('.note.bad').filter({ hasText: 'pump' }).waitFor(); // of another product
  await ann.getByRole('button', { name: 'Choose another image' }).click();
  await choose('Choose image', file('greenhouse.bin'));
  await ann.getByText('v5.5.1').waitFor();
  assert.equal(await ann.getByLabel('Version', { exact: true }).inputValue(), '1.0.0');
  assert.equal(await ann.getByLabel('Version code').inputValue(), '1');
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
