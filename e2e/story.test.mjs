// The story of two people in two browsers, told to a real server: they register,
// meet in a room, talk live, and lose nothing when the server is killed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { becomes, composer, launch, line, password, shot, shotOfFailure, signUp, visitor } from './people.mjs';
import { Server } from './server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const server = new Server();
let browser;
const people = {};

before(async () => {
  await server.start();
  browser = await launch();
  for (const name of ['ann', 'bob']) people[name] = await visitor(browser);
});

after(async () => {
  await browser?.close();
  await server.close();
});

/** One chapter. If it fails, what both people see is kept and printed. */
function story(name, fn) {
  test(name, async () => {
    try {
      await fn();
    } catch (err) {
      for (const who of ['ann', 'bob']) {
        await shotOfFailure(people[who], who);
        console.log(who, await people[who].locator('body').ariaSnapshot());
      }
      throw err;
    }
  });
}

async function say(page, text) {
  await composer(page).fill(text);
  await composer(page).press('Enter');
}

/** Waits until the server has everything that a page has sent. */
const delivered = (page) => page.getByRole('log').getByText('Sending').first().waitFor({ state: 'detached' });

story('the first administrator registers by the link', async () => {
  const { ann } = people;
  await ann.goto(server.setupLink);
  await ann.getByRole('heading', { name: 'Set up this server' }).waitFor();
  await shot(ann, 'setup');
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator account');
  await ann.getByRole('heading', { name: /^Welcome/ }).waitFor();
  await shot(ann, 'empty');
});

story('a second person registers', async () => {
  const { bob } = people;
  await bob.goto(server.url);
  await bob.getByRole('heading', { name: /sign in/i }).waitFor();
  await shot(bob, 'sign-in');
  await bob
    .getByRole('link', { name: /create|account|sign up/i })
    .first()
    .click();
  await shot(bob, 'sign-up');
  await signUp(bob, 'bob', 'Bob Jones', /create account|sign up/i);
  await bob.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

story('they meet in a room by an invitation link and talk live', async () => {
  const { ann, bob } = people;
  await ann.getByRole('button', { name: 'Create room' }).click();
  await ann.getByRole('dialog').getByLabel('Name').fill('Workshop');
  await ann
    .getByRole('dialog')
    .getByRole('radio', { name: /^Private/ })
    .check();
  await ann.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await composer(ann).waitFor();
  await shot(ann, 'room-empty');
  const room = new URL(ann.url()).pathname.split('/')[2];
  people.room = room;

  await ann.getByRole('button', { name: 'Room details' }).click();
  await ann.getByRole('button', { name: 'Create link' }).click();
  const link = await ann.getByRole('textbox', { name: 'Invitation links' }).inputValue();
  await shot(ann, 'details');
  await ann.getByRole('complementary', { name: 'Room details' }).getByRole('button', { name: 'Close' }).click();

  const stranger = await visitor(browser);
  await stranger.goto(link);
  await stranger.getByRole('heading', { name: 'You were invited to a room' }).waitFor();
  await stranger.getByRole('link', { name: 'Create account' }).waitFor();
  await shot(stranger, 'invited');
  await stranger.setViewportSize({ width: 390, height: 844 });
  await shot(stranger, 'invited-phone');
  await stranger.getByRole('link', { name: 'Sign in' }).click();
  await stranger.getByLabel('Username or e-mail').fill('bob');
  await stranger.getByRole('textbox', { name: 'Passphrase' }).fill(password);
  await stranger.getByRole('button', { name: 'Sign in', exact: true }).click();
  await stranger.getByRole('heading', { name: /Workshop/ }).waitFor();
  await stranger.context().close();

  await bob.goto(link);
  await bob.getByRole('heading', { name: /Workshop/ }).waitFor();
  await shot(bob, 'join');
  await bob.getByRole('button', { name: /join/i }).click();
  await composer(bob).waitFor();
  await ann
    .getByRole('log')
    .getByText(/Bob Jones.*joined/)
    .waitFor();

  await say(ann, 'good morning');
  await line(bob, 'good morning').waitFor();
  await composer(bob).pressSequentially('good mor');
  await ann.getByText(/Bob Jones is typing/).waitFor();
  await composer(bob).fill('');
  await say(bob, 'good morning, @ann!');
  await ann
    .getByRole('log')
    .getByText(/good morning, /)
    .waitFor();
});

story('they edit, reply and delete', async () => {
  const { ann, bob } = people;
  await say(ann, 'see you at tne');
  await line(bob, 'see you at tne').waitFor();
  await delivered(ann);
  await composer(ann).press('ArrowUp');
  const editor = ann.getByRole('log').getByRole('textbox');
  await editor.fill('see you at ten');
  await editor.press('Enter');
  await bob.getByRole('article').filter({ hasText: 'see you at ten' }).waitFor();
  await bob
    .getByRole('log')
    .getByText(/edited/)
    .first()
    .waitFor();

  const message = bob.getByRole('article').filter({ hasText: 'see you at ten' });
  await message.hover();
  await message.getByRole('button', { name: 'Reply' }).click();
  await say(bob, 'I will be there');
  await line(ann, 'I will be there').waitFor();
  await becomes(
    () => ann.getByRole('article').filter({ hasText: 'I will be there' }).getByText('see you at ten').count(),
    1,
    'the reply shows what it answers',
  );

  await say(bob, 'a mistake');
  await line(ann, 'a mistake').waitFor();
  const mistake = bob.getByRole('article').filter({ hasText: 'a mistake' });
  await mistake.hover();
  await mistake.getByRole('button', { name: 'More actions' }).click();
  await bob.getByRole('menuitem', { name: /delete/i }).click();
  await bob
    .getByRole('dialog')
    .getByRole('button', { name: /delete/i })
    .click();
  await line(ann, 'a mistake').waitFor({ state: 'detached' });
});

story('presence and unread counts follow', async () => {
  const { ann, bob } = people;
  await ann.getByRole('link', { name: 'Unhidra' }).click();
  for (const text of ['one', 'two', 'three @ann!']) await say(bob, text);
  await line(bob, 'two').waitFor();
  await ann
    .getByRole('navigation')
    .getByRole('link', { name: /Workshop.*3/ })
    .waitFor();
  await ann.waitForFunction(() => document.title.startsWith('(1) • 2 '));
  await ann.waitForFunction(() => document.querySelector('link[rel=icon]').href.startsWith('data:image/png'));
  await shot(ann, 'unread');
  await ann
    .getByRole('navigation')
    .getByRole('link', { name: /Workshop/ })
    .click();
  await line(ann, 'two').waitFor();
  await shot(ann, 'room');
  await ann
    .getByRole('navigation')
    .getByRole('link', { name: /Workshop.*3/ })
    .waitFor({ state: 'detached' });
  await ann.waitForFunction(
    () =>
      document.title === 'Workshop · Unhidra' && document.querySelector('link[rel=icon]').href.endsWith('/favicon.svg'),
  );
});

story('search finds what was said and jumps there', async () => {
  const { ann } = people;
  await ann.getByRole('button', { name: 'Search in this room' }).click();
  const panel = ann.getByRole('complementary', { name: /search/i });
  await panel.getByRole('button', { name: 'lang:de' }).click();
  await ann.keyboard.type('unknown morn*');
  await ann.getByRole('searchbox').press('Enter');
  await panel
    .getByText(/good morning/)
    .first()
    .waitFor();
  await shot(ann, 'search');
  await panel
    .getByText(/good morning/)
    .first()
    .click();
  await line(ann, 'good morning').waitFor();
  await panel.getByRole('button', { name: 'Close' }).click();
});

story('an emoji is picked by keyboard and by pointer, and the picker leaves where it should', async () => {
  const { ann } = people;
  const picker = ann.getByRole('dialog', { name: 'Emoji' });
  const open = ann.getByRole('button', { name: 'Insert emoji' });
  await open.click();
  await ann.getByRole('combobox', { name: 'Search emoji' }).fill('rocket');
  await shot(ann, 'emoji');
  await ann.keyboard.press('Enter');
  await picker.waitFor({ state: 'detached' });
  await ann.keyboard.type(' off');
  await becomes(() => composer(ann).inputValue(), '🚀 off', 'who picked goes on writing');

  await open.click();
  await becomes(
    () => picker.getByRole('option', { selected: true }).innerText(),
    '🚀',
    'what was picked is offered first',
  );
  await ann.keyboard.press('ArrowDown');
  await becomes(() => picker.getByRole('option', { selected: true }).innerText(), '😀', 'down is the row below');
  await open.click();
  await picker.waitFor({ state: 'detached' });
  await open.click();
  await picker.getByRole('option', { name: 'thumbs up', exact: true }).click();
  await becomes(() => composer(ann).inputValue(), '🚀 off👍');
  await composer(ann).fill('');
});

story('a text is copied without a clipboard', async () => {
  const { ann } = people;
  await ann.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })); // as by plain http
  const message = ann.getByRole('article').filter({ hasText: 'see you at ten' }).first();
  await message.hover();
  await message.getByRole('button', { name: 'More actions' }).click();
  await ann.getByRole('menuitem', { name: 'Copy text' }).click();
  await ann.getByText('Text copied').waitFor();
  await composer(ann).focus();
  await ann.keyboard.press('Control+V');
  await becomes(() => composer(ann).inputValue(), 'see you at ten');
  await composer(ann).fill('');
});

story('a tap and a long press offer on a phone what a pointer does', async () => {
  const phone = await visitor(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await phone.goto(server.url);
  await phone.getByLabel('Username or e-mail').fill('bob');
  await phone.getByRole('textbox', { name: 'Passphrase' }).fill(password);
  await phone.getByRole('button', { name: 'Sign in', exact: true }).tap();
  await phone.getByRole('link', { name: /Workshop/ }).tap();
  const message = phone.getByRole('article').filter({ hasText: 'I will be there' }).first();
  await message.tap();
  await message.getByRole('button', { name: 'Reply', exact: true }).waitFor();

  const answered = phone.getByRole('article').filter({ hasText: 'see you at ten' }).first();
  const { x, y } = await answered.getByText('see you at ten').boundingBox();
  const finger = await phone.context().newCDPSession(phone);
  await finger.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: x + 20, y: y + 8 }] });
  await answered.getByRole('button', { name: 'More actions' }).waitFor(); // it has been held for long
  await finger.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await phone.getByRole('menuitem', { name: 'Copy text' }).waitFor();
  await shot(phone, 'phone-actions');
  assert.equal(phone.broken, undefined);
  await phone.context().close();
});

/** The numbered messages that a page shows, in their order. */
async function shown(page) {
  const texts = await page.getByRole('log').getByRole('article').allInnerTexts();
  return texts.flatMap((t) => [...t.matchAll(/burst (\d+)/g)].map((m) => Number(m[1])));
}

story('nothing is lost when the server is killed in the middle of a burst', async () => {
  const { ann, bob } = people;
  const burst = 30;
  for (let i = 0; i < burst; i++) {
    await say(ann, `burst ${i}`);
    if (i === 12) await server.kill();
  }
  await shot(ann, 'offline');
  await server.start();
  for (const page of [ann, bob]) {
    await page.waitForFunction(
      (n) =>
        [...document.querySelectorAll('[role=log] article')].filter((a) => /burst \d+/.test(a.textContent)).length ===
        n,
      burst,
      { timeout: 45_000 },
    );
  }
  const expected = Array.from({ length: burst }, (_, i) => i);
  assert.deepEqual(await shown(ann), expected, 'every message once, in order, for the one who wrote them');
  assert.deepEqual(await shown(bob), expected, 'and for the other');
  await shot(bob, 'after-the-kill');
});

story('a reload comes back to the same place, signed in', async () => {
  const { ann } = people;
  const at = ann.url();
  await ann.reload();
  await line(ann, 'burst 29').waitFor();
  assert.equal(ann.url(), at);
});

story('the box to write in is as high as its text, also when the window gets narrower', async () => {
  const { ann } = people;
  const box = composer(ann);
  await box.fill('one line in a wide window, and several on a phone, which is so narrow that words are broken');
  const node = await box.elementHandle();
  for (const width of [1440, 390, 1440]) {
    await ann.setViewportSize({ width, height: 844 });
    await ann.waitForFunction((el) => Math.abs(el.scrollHeight - el.clientHeight) <= 1, node);
  }
  await box.fill('');
});

story('every page is accessible, in both themes, and on a phone', async () => {
  const { ann } = people;
  const pages = {
    room: new URL(ann.url()).pathname,
    home: '/',
    settings: '/settings/profile',
    search: '/search?q=burst',
  };
  for (const [name, path] of Object.entries(pages)) {
    for (const [size, viewport] of Object.entries({
      desktop: { width: 1440, height: 900 },
      phone: { width: 390, height: 844 },
    })) {
      for (const colorScheme of ['light', 'dark']) {
        await ann.setViewportSize(viewport);
        await ann.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await ann.goto(server.url + path);
        await ann.getByRole('main').waitFor();
        await ann.waitForLoadState('networkidle');
        await shot(ann, `${name}-${size}-${colorScheme}`);
        await ann.evaluate(axe);
        const { violations } = await ann.evaluate(() => globalThis.axe.run());
        assert.deepEqual(
          violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(', ')}`),
          [],
          `${name} ${size} ${colorScheme}`,
        );
      }
    }
  }
});

test('no page threw', () => {
  for (const page of [people.ann, people.bob]) assert.equal(page.broken, undefined);
});
