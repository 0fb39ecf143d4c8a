// The client without a mouse: nothing here clicks. And in another language.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { becomes, composer, launch, line, password, shot, visitor } from './people.mjs';
import { Server } from './server.mjs';

const server = new Server();
let browser;
let page;

before(async () => {
  await server.start();
  browser = await launch();
  page = await visitor(browser, { locale: 'en-GB' });
});

after(async () => {
  await browser?.close();
  await server.close();
});

function chapter(name, fn) {
  test(name, async () => {
    try {
      await fn();
    } catch (err) {
      await shot(page, 'failed-keyboard');
      console.log(await page.locator('body').ariaSnapshot());
      throw err;
    }
  });
}

const press = (...keys) => keys.reduce((done, key) => done.then(() => page.keyboard.press(key)), Promise.resolve());
const type = (text) => page.keyboard.type(text);

/** What has the focus, and whether one sees it. */
const focused = () =>
  page.evaluate(() => {
    const el = document.activeElement;
    if (!el || el === document.body) return { name: 'nothing', seen: false };
    // The mark may be drawn by the control or by what wraps it.
    const drawn = [el, el.parentElement, el.parentElement?.parentElement].some((e) => {
      if (!e) return false;
      const s = getComputedStyle(e);
      return (
        (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1) ||
        (e.matches(':focus-within') && s.boxShadow !== 'none')
      );
    });
    return {
      name: el.getAttribute('aria-label') ?? el.textContent.trim().slice(0, 40),
      tag: el.tagName,
      seen: drawn || el.matches('textarea, input'),
    };
  });

/** Goes on with Tab until the locator has the focus, which everything on the way must show. */
async function tabTo(locator, back = false) {
  for (let i = 0; i < 60; i++) {
    if (
      await locator
        .first()
        .evaluate((el) => el === document.activeElement)
        .catch(() => false)
    )
      return;
    await press(back ? 'Shift+Tab' : 'Tab');
    const at = await focused();
    assert.ok(at.seen || at.name === 'nothing', `the focus is not seen on ${at.tag} "${at.name}"`);
  }
  assert.fail(`Tab does not reach ${locator}`);
}

chapter('registers and signs in again', async () => {
  await page.goto(server.setupLink);
  await page.getByRole('heading', { name: 'Set up this server' }).waitFor();
  const username = page.getByLabel('Username');
  await tabTo(username);
  await type('kim lee');
  await tabTo(page.getByLabel('Name', { exact: true }));
  await type('Kim Lee');
  await tabTo(page.getByRole('textbox', { name: 'Passphrase' }));
  await type(password);
  await tabTo(page.getByRole('button', { name: 'Create administrator account' }));
  await press('Enter');
  // What was refused has the focus.
  await page.locator('input[name="username"][aria-invalid="true"]:focus').waitFor();
  await press('Control+a');
  await type('kim');
  await press('Enter');
  await page.getByRole('heading', { name: /^Welcome/ }).waitFor();

  await find('sign out');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  // The setup link leads nobody to a form any more.
  await page.goto(server.setupLink);
  await page.reload(); // a link that differs after # alone loads nothing
  await page.getByRole('heading', { name: 'This server is set up' }).waitFor();
  await tabTo(page.getByRole('link', { name: 'Sign in' }));
  await press('Enter');
  await tabTo(page.getByLabel('Username or e-mail'));
  await type('kim');
  await tabTo(page.getByRole('textbox', { name: 'Passphrase' }));
  await type(password);
  await press('Enter');
  await page.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

/** Runs what the switcher finds. A dialog before it may still be closing, and has the keys until then. */
async function find(words) {
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await press('Control+k');
  await page.getByRole('dialog').waitFor();
  await type(words);
  await press('Enter');
}

/** Creates a room from the switcher. */
async function create(name) {
  await find('create a room');
  await page.getByRole('dialog', { name: 'Create a room' }).waitFor();
  await type(name);
  await press('Enter');
  await composer(page).waitFor();
  await page.getByRole('main', { name }).waitFor();
}

chapter('creates rooms and jumps between them', async () => {
  await create('Garden');
  await create('Kitchen');
  await find('gard');
  await page.getByRole('main', { name: 'Garden' }).waitFor();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await press('Alt+ArrowDown');
  await page.getByRole('main', { name: 'Kitchen' }).waitFor();
});

chapter('writes, edits, replies and deletes', async () => {
  await tabTo(composer(page));
  await type('water the tomatos');
  await press('Enter');
  await line(page, 'water the tomatos').waitFor();
  await page.getByRole('log').getByText('Sending').first().waitFor({ state: 'detached' });
  await press('ArrowUp');
  await page.getByRole('log').getByRole('textbox').waitFor();
  await press('Control+a');
  await type('water the tomatoes');
  await press('Enter');
  await page.getByRole('article').filter({ hasText: 'water the tomatoes' }).waitFor();
  await page.getByRole('log').getByRole('textbox').waitFor({ state: 'detached' });
  await becomes(async () => (await focused()).name === 'nothing', false, 'the focus is lost after an edit');

  const message = page.getByRole('article').filter({ hasText: 'water the tomatoes' });
  await tabTo(page.getByRole('log').locator('[data-message]:focus, :scope:focus').or(page.getByRole('log')), true);
  for (let i = 0; i < 8 && !(await message.evaluate((el) => el.contains(document.activeElement))); i++)
    await press('ArrowUp');
  await press('r');
  await type('done');
  await press('Enter');
  const reply = page.getByRole('article').filter({ hasText: 'done' });
  await reply.getByText('water the tomatoes').waitFor();
});

chapter('searches, and comes back with Escape', async () => {
  await press('Control+f');
  await page.getByRole('searchbox').waitFor();
  const panel = page.getByRole('complementary', { name: /search/i });
  const hit = panel.getByText(/water the/).first();
  await type('tomat*');
  // The index follows the messages a moment later: whoever was quicker asks again, and at least once.
  for (let i = 0; i < 20 && (i === 0 || !(await hit.isVisible())); i++) {
    await page.waitForURL(/q=tomat/);
    assert.ok(
      await page.getByRole('searchbox').evaluate((el) => el === document.activeElement),
      `the search moves the focus to "${(await focused()).name}"`,
    );
    const answer = page.waitForResponse(/\/search\?/);
    await press('Enter');
    await answer;
    await hit.waitFor({ timeout: 1500 }).catch(() => {});
  }
  await hit.waitFor();
  await tabTo(panel.getByRole('button', { name: 'Close' }), true);
  await press('Enter');
  await panel.waitFor({ state: 'detached' });
  await becomes(async () => (await focused()).name, /^Message/, 'the focus is lost with the panel, closed by a button');

  await press('Control+f');
  await page.getByRole('searchbox').waitFor();
  await press('Escape');
  await panel.waitFor({ state: 'detached' });
  await becomes(async () => (await focused()).name === 'nothing', false, 'the focus is lost with the panel');
});

chapter('no part of the page is a trap', async () => {
  const seen = new Set();
  for (let i = 0; i < 60; i++) {
    await press('Tab');
    const { name } = await focused();
    seen.add(name);
  }
  assert.ok(seen.size > 8, `Tab goes round in ${[...seen].join(', ')}`);
  const regions = new Set();
  for (let i = 0; i < 6; i++) {
    await press('F6');
    regions.add(await page.evaluate(() => document.activeElement?.closest('[data-region]')?.tagName ?? 'none'));
  }
  assert.ok(regions.size > 1, `F6 stays in ${[...regions]}`);
});

chapter('what is on its way cannot be edited yet, and says so', async () => {
  await page.context().setOffline(true);
  await composer(page).focus();
  await page.keyboard.type('on its way');
  await page.keyboard.press('Enter');
  const row = page.locator('#messages article').filter({ hasText: 'on its way' });
  await row.focus();
  await page.keyboard.press('e');
  await page.getByText('Not sent yet. Try again once it is.').first().waitFor();
  await composer(page).focus();
  await page.keyboard.press('ArrowUp'); // not the message before it
  assert.equal(await page.getByLabel('Edit message').count(), 0);
  await page.context().setOffline(false);
  await row.and(page.locator('[data-message]:not([data-message="0"]):not(.pending)')).waitFor();
  await row.focus();
  await page.keyboard.press('e');
  await page.getByLabel('Edit message').waitFor();
  await page.keyboard.press('Escape');
});

test('a browser that prefers German gets German, and a choice outlives the visit', async () => {
  const german = await visitor(browser, { locale: 'de-AT' });
  await german.goto(`${server.url}/sign-in`);
  await german.getByRole('heading', { name: 'Anmelden' }).waitFor();
  assert.equal(await german.evaluate(() => document.documentElement.lang), 'de');
  await german.getByLabel('Benutzername oder E-Mail').fill('kim');
  await german.getByRole('textbox', { name: 'Passphrase' }).fill(password);
  await german.getByRole('button', { name: 'Anmelden', exact: true }).click();
  await german.getByRole('navigation', { name: 'Räume und Personen' }).waitFor();
  await shot(german, 'german');
  await german.goto(`${server.url}/settings/profile`);
  await german.getByLabel('Sprache').waitFor();
  await shot(german, 'german-settings');
  await german.getByLabel('Sprache').selectOption('en');
  await german.getByRole('button', { name: 'Speichern', exact: true }).click();
  await german.getByRole('button', { name: 'Save', exact: true }).waitFor();
  await german.reload();
  await german.getByRole('heading', { name: 'Settings' }).waitFor();
  assert.equal(german.broken, undefined);
});

test('no page threw', () => assert.equal(page.broken, undefined));
