// What make demo starts: two people and their devices, as a newcomer sees them. The picture in the
// README is made here: docs/images/demo.png is screenshots/demo.png.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, line, shot, visitor } from './people.mjs';
import { freePort } from './server.mjs';

const bin = new URL('../bin/unhidra', import.meta.url).pathname;
const dir = mkdtempSync(join(tmpdir(), 'unhidra-demo-'));
let browser;
let demo;
let said = '';

async function start() {
  said = '';
  const args = ['demo', '--dir', dir, '--every', '1s'];
  demo = spawn(bin, [...args, '--port', String(await freePort()), '--mqtt-port', String(await freePort())]);
  const ready = new Promise((done, failed) => {
    const take = (chunk) => {
      said += chunk;
      if (said.includes('Ctrl-C ends')) done();
    };
    demo.stdout.on('data', take);
    demo.stderr.on('data', take);
    demo.once('exit', (code) => failed(new Error(`the demo ended with ${code}: ${said}`)));
  });
  await ready;
  return /http:\/\/localhost:\d+/.exec(said)[0];
}

async function stop() {
  demo.removeAllListeners('exit');
  const gone = once(demo, 'exit');
  demo.kill('SIGTERM');
  return (await gone)[0];
}

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (demo?.exitCode === null) await stop();
  rmSync(dir, { recursive: true, force: true });
});

async function signIn(url, name) {
  const page = await visitor(browser, { reducedMotion: 'reduce' });
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('Username or e-mail').fill(name);
  await page.getByRole('textbox', { name: 'Passphrase' }).fill(/^ {4}(.+)$/m.exec(said)[1]);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('link', { name: /^Greenhouse/ }).click();
  return page;
}

test('the demo is a room in which people talk and devices obey, and its devices have a day of readings', async () => {
  const ann = await signIn(await start(), 'ann');
  await line(ann, 'Morning! The seedlings are in, and everything that measures is in this room now.').waitFor();
  await ann.getByRole('figure').first().waitFor();
  const log = ann.getByRole('log');
  await log.getByText(/Ben Okafor told Greenhouse .*done/).waitFor();
  await log.getByText(/Ben Okafor told Seedlings .*done/).waitFor();
  await shot(ann, 'demo');
  await ann.getByRole('link', { name: 'Devices' }).click();
  const list = ann.getByRole('list', { name: 'Devices' });
  await list.getByRole('link', { name: /Weather mast/ }).waitFor();
  await shot(ann, 'demo-devices');
  await list.getByRole('link', { name: /^Greenhouse/ }).click();
  await ann.getByRole('application', { name: /^Chart of/ }).waitFor();
  await shot(ann, 'demo-device');
  assert.equal(ann.broken, undefined);
});

test('it goes on with the same folder', async () => {
  assert.equal(await stop(), 0);
  const ben = await signIn(await start(), 'ben');
  await line(ben, 'On it.').first().waitFor();
  assert.equal(ben.broken, undefined);
});
