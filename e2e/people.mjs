// What every browser test does: open browsers, register, write.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { basename } from 'node:path';
import { chromium } from 'playwright-core';

export const shots = new URL('screenshots/', import.meta.url).pathname;
export const password = 'an old song about rain';

/** @param more arguments of the browser */
export function launch(more = []) {
  mkdirSync(shots, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  });
}

/** A browser of its own, which remembers what its page threw. */
export async function visitor(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (err) => (page.broken = err));
  // A dialog that has closed goes one place back, which would abort the way elsewhere.
  const goto = page.goto.bind(page);
  page.goto = async (...to) => {
    await page.waitForFunction(() => !history.state?.covers || document.querySelector('dialog[open]'));
    return goto(...to);
  };
  return page;
}

export const shot = (page, name) => page.screenshot({ path: `${shots}${name}.png` });

/** Keeps what somebody sees when a story fails. Those of other files run at the same time. */
export const shotOfFailure = (page, who) => shot(page, `failed-${basename(process.argv[1], '.test.mjs')}-${who}`);

export async function signUp(page, name, display, button) {
  await page.getByLabel('Name', { exact: true }).fill(display);
  await page.getByLabel('Username').fill(name);
  await page.getByRole('textbox', { name: 'Passphrase' }).fill(password);
  await page.getByRole('button', { name: button }).click();
}

export const composer = (page) => page.getByRole('textbox', { name: /^Message/ });

export const line = (page, text) => page.getByRole('log').getByText(text, { exact: true });

/** What read gives is want, or matches it, within a minute: a page shows what it has heard of, and not before. */
export async function becomes(read, want, message) {
  const check = want instanceof RegExp ? assert.match : assert.deepEqual;
  for (const begin = performance.now(); ; await new Promise((next) => setTimeout(next, 50))) {
    try {
      return check(await read(), want, message);
    } catch (err) {
      if (performance.now() - begin > 60_000) throw err;
    }
  }
}

/** What is named has the focus, or something within it does: it moves a moment after what moves it. */
export const hasFocus = (what, message = 'the focus is elsewhere') =>
  becomes(() => what.evaluate((el) => el.contains(document.activeElement)), true, message);

/** Where something is, once that does not change any more. */
export async function atRest(what) {
  const top = async () => (await what.boundingBox())?.y;
  for (let before = await top(), same = 0; ; ) {
    await new Promise((next) => setTimeout(next, 100));
    const now = await top();
    same = now !== undefined && now === before ? same + 1 : 0;
    if (same === 3) return now;
    before = now;
  }
}
