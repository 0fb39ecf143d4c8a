// Links show what their pages say of themselves, once an admin of the room wants it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { atRest, becomes } from './people.mjs';
import { said, workshop } from './workshop.mjs';

const settings = { UNHIDRA_LINK_PREVIEWS: 'on', UNHIDRA_PRIVATE_NETWORKS: '127.0.0.0/8' };
const { room, call, story } = workshop(said('ann', 30), [], settings);

let picture; // what Ann's screen shows
const asked = [];
let slow; // answers of /slow that wait
const site = createServer((request, answer) => {
  asked.push(request.url);
  if (request.url.endsWith('.png')) return answer.writeHead(200, { 'Content-Type': 'image/png' }).end(picture);
  const page = (head) =>
    answer.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(`<html><head>${head}`);
  if (request.url === '/tea')
    return page(`<meta property="og:title" content="How to make tea, step by step">
      <meta property="og:description"
        content="Water that is not too hot, leaves that are not too old, and ${'patience, '.repeat(20)}">
      <meta property="og:site_name" content="The Tea Book"><meta property="og:image" content="/picture.png">
      <meta property="og:image:alt" content="A pot of tea"><link rel="icon" href="/icon.png">`);
  if (request.url === '/slow') return (slow = () => page('<title>Late, but here</title>'));
  return page(`<title>Page ${request.url}</title>`);
});
let web;

before(async () => {
  await once(site.listen(0, '127.0.0.1'), 'listening');
  web = `http://127.0.0.1:${site.address().port}`;
});
after(() => {
  site.closeAllConnections();
  site.close();
});

const details = (page) => page.getByRole('complementary', { name: 'Room details' });
const row = (page, text) => page.locator('article[data-message]').filter({ hasText: text }).last();
const card = (page, title) => page.getByRole('list', { name: 'Previews of links' }).getByRole('link', { name: title });

/** The place that is kept until previews are loaded is as high as they are. */
async function asHighAsItsPlace(page) {
  const lists = await page.getByRole('list', { name: 'Previews of links' }).all();
  for (const list of lists) {
    const lacks = () => list.evaluate((l) => parseFloat(l.parentElement.style.minBlockSize) - l.offsetHeight);
    await becomes(lacks, 0);
  }
}

const say = (who, key, text) => call(who, 'POST', `/rooms/${room.id}/messages`, { key, text });

story('members are not asked, and an admin switches them on', async ({ ann, bob }) => {
  await bob.getByRole('button', { name: 'Room details' }).tap();
  await details(bob).getByRole('switch', { name: 'Follow all threads' }).waitFor();
  await becomes(() => details(bob).getByRole('switch', { name: 'Link previews' }).count(), 0);
  await bob.goBack();
  await say('bob', 'before', `no preview yet: ${web}/before`);
  await ann.getByRole('button', { name: 'Room details' }).click();
  const wish = details(ann).getByRole('switch', { name: 'Link previews' });
  await becomes(() => wish.isChecked(), false);
  await wish.check();
  await bob.getByText(/Ann switched link previews on/).waitFor();
  await accessibleEverywhere(ann, 'previews-switch');
  await details(ann).getByRole('button', { name: 'Close' }).click();
});

story('a link gets a preview with a picture, which the server keeps', async ({ ann, bob }) => {
  picture = await ann.screenshot();
  await say('bob', 'tea', `read ${web}/tea`);
  for (const page of [ann, bob]) {
    await card(page, /How to make tea/).waitFor();
    const image = card(page, /How to make tea/).getByRole('img', { name: 'A pot of tea' });
    await page.waitForFunction((i) => i.complete && i.naturalWidth > 0, await image.elementHandle());
    await becomes(() => image.getAttribute('src'), /^\/api\/v1\/previews\//);
    const icon = card(page, /How to make tea/).locator('img').first();
    await becomes(() => icon.evaluate((i) => i.complete && i.naturalWidth <= 32 && i.offsetHeight), 16);
  }
  const looks = ['/icon.png', '/picture.png', '/tea'];
  assert.deepEqual(asked.sort(), looks, 'one look at the page for everybody, and none at what was before');
  const link = card(ann, /How to make tea/);
  await becomes(() => link.getAttribute('href'), `${web}/tea`);
  await becomes(() => link.getAttribute('rel'), /noopener.*noreferrer/);
  assert.ok((await card(bob, /How to make tea/).boundingBox()).width <= 390);
  for (const page of [ann, bob]) await asHighAsItsPlace(page);
  await accessibleEverywhere(ann, 'previews');
});

story('nobody waits for a page, and what comes late moves nothing that is read', async ({ ann, bob }) => {
  await say('bob', 'slow', `slow: ${web}/slow`);
  await row(ann, 'slow:').waitFor();
  await say('ann', 'next', 'and on it goes');
  await row(bob, 'and on it goes').waitFor();
  await becomes(() => card(ann, 'Late, but here').count(), 0);
  // Ann reads what is above.
  const reading = ann.locator('article[data-message]').filter({ hasText: 'line 5' }).first();
  await ann.getByRole('log').hover();
  await ann.mouse.wheel(0, -5000);
  await ann.waitForFunction(() => document.querySelector('#messages').scrollTop === 0);
  const at = await atRest(reading);
  while (!slow) await once(site, 'request');
  slow();
  await card(bob, /Late, but here/).waitFor();
  assert.ok(Math.abs((await reading.boundingBox()).y - at) < 1, 'the line that is read moved');
  await ann.locator('#messages').evaluate((box) => (box.scrollTop = box.scrollHeight));
  await card(ann, /Late, but here/).waitFor();
  await asHighAsItsPlace(ann);
});

story('by keyboard alone its author takes a preview away for everybody, and others cannot', async ({ ann, bob }) => {
  await say('ann', 'two', `two: ${web}/first ${web}/second`);
  await card(bob, /Page \/second/).waitFor();
  const remove = (page) => row(page, 'two:').getByRole('button', { name: /Remove the preview of/ });
  await row(bob, 'two:').tap({ position: { x: 5, y: 5 } });
  await becomes(() => remove(bob).count(), 0, 'members take nothing of others away');
  await row(ann, 'two:').focus();
  await remove(ann).first().focus();
  await accessible(ann, 'previews-remove');
  await ann.keyboard.press('Enter');
  await card(ann, /Page \/first/).waitFor({ state: 'detached' });
  await card(bob, /Page \/first/).waitFor({ state: 'detached' });
  await becomes(() => row(ann, 'two:').evaluate((r) => r === document.activeElement), true, 'the focus is not lost');
  await becomes(() => card(bob, /Page \/second/).count(), 1);
});

story('who does not want to see previews hides them in this browser', async ({ bob }) => {
  const address = bob.url();
  const appearance = async (shown) => {
    await bob.goto(`${new URL(address).origin}/settings/appearance`);
    await bob.getByRole('switch', { name: 'Show link previews' }).setChecked(shown);
    await accessible(bob, `previews-setting-${shown}`);
    await bob.goto(address);
    await row(bob, 'two:').waitFor();
  };
  await appearance(false);
  await becomes(() => bob.getByRole('list', { name: 'Previews of links' }).count(), 0);
  await appearance(true);
  await card(bob, /Page \/second/).waitFor();
});
