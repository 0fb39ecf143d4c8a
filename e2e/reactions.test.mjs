// People react to messages: by pointer, by keyboard alone, and with a finger.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { atRest, becomes, hasFocus, shot } from './people.mjs';
import { said, workshop } from './workshop.mjs';

const { room, call, story } = workshop([...said('ann', 40), ['ann', 'tea?']]);

/** The row of a message. */
const of = (page, text) => page.getByRole('article').filter({ has: page.getByText(text, { exact: true }) }).first();

const chip = (page, name, text = 'tea?') => of(page, text).getByRole('button', { name, exact: true });

story('a pointer reacts, and everybody sees it', async ({ ann, bob }) => {
  await of(ann, 'tea?').hover();
  await of(ann, 'tea?').getByRole('button', { name: 'Add reaction' }).click();
  const picker = ann.getByRole('dialog', { name: 'Emoji' });
  await picker.getByRole('combobox').fill('heart');
  await accessible(ann, 'reaction-picker');
  await picker.getByRole('option', { name: 'heart', exact: true }).click();
  await picker.waitFor({ state: 'detached' });
  await chip(ann, '❤️ 1, you reacted').waitFor(); // at once
  await chip(bob, '❤️ 1').waitFor();
  await becomes(() => chip(ann, '❤️ 1, you reacted').getAttribute('aria-pressed'), 'true');
});

story('a finger that rests offers six emoji, and a tap on a reaction joins it', async ({ ann, bob }) => {
  await chip(bob, '❤️ 1').tap();
  await chip(bob, '❤️ 2, you reacted').waitFor();
  await chip(ann, '❤️ 2, you reacted').waitFor();
  await chip(ann, '❤️ 2, you reacted').hover();
  await ann.waitForFunction(() => document.querySelector('article button[title="you and Bob"]'));

  const { x, y } = await of(bob, 'tea?').getByText('tea?').boundingBox();
  const finger = await bob.context().newCDPSession(bob);
  await finger.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: x + 10, y: y + 8 }] });
  await of(bob, 'tea?').getByRole('button', { name: 'More actions' }).waitFor();
  await finger.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await bob.getByRole('menuitem', { name: '🎉' }).waitFor();
  await becomes(() => bob.locator('[role=menu] .quick button').count(), 6);
  await shot(bob, 'phone-reactions');
  await bob.getByRole('menuitem', { name: '🎉' }).tap();
  await chip(ann, '🎉 1').waitFor();
});

story('by keyboard alone one reacts, and takes it back', async ({ ann, bob }) => {
  await of(ann, 'tea?').focus();
  await ann.keyboard.press('+');
  const picker = ann.getByRole('dialog', { name: 'Emoji' });
  await picker.getByRole('combobox').waitFor();
  await ann.keyboard.type('thumbs_up');
  await ann.keyboard.press('Enter');
  await chip(bob, '👍 1').waitFor();
  await hasFocus(of(ann, 'tea?'), 'the message has the focus again');
  const mine = chip(ann, '👍 1, you reacted');
  const focused = () => mine.evaluate((b) => b === document.activeElement);
  for (let i = 0; i < 12 && !(await focused()); i++) await ann.keyboard.press('Tab');
  await ann.keyboard.press('Enter');
  await mine.waitFor({ state: 'detached' });
  await hasFocus(of(ann, 'tea?'), 'the focus is lost');
  await chip(bob, '👍 1').waitFor({ state: 'detached' });
});

story('two fast clicks send nothing, and a refused reaction is undone', async ({ ann }) => {
  const asked = [];
  ann.on('request', (r) => r.url().includes('/reactions/') && r.method() !== 'GET' && asked.push(r.method()));
  await chip(ann, '🎉 1').dblclick();
  await chip(ann, '🎉 1').waitFor();
  await ann.waitForTimeout(1_500); // longer than a click is held
  assert.deepEqual(asked, []);

  let refuse;
  const seen = new Promise((done) => (refuse = done));
  await ann.route('**/reactions/**', async (route) => {
    if (route.request().method() !== 'PUT') return route.continue();
    await seen;
    await route.abort();
  });
  await chip(ann, '🎉 1').click();
  await chip(ann, '🎉 2, you reacted').waitFor();
  refuse();
  await chip(ann, '🎉 1').waitFor(); // undone
  await ann.unroute('**/reactions/**');
});

// A green disc on nothing, drawn by a page.
const disc = async (page) =>
  Buffer.from(
    await page.evaluate(() => {
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 96;
      const c = canvas.getContext('2d');
      c.fillStyle = '#2e9e5b';
      c.arc(48, 48, 44, 0, 7);
      c.fill();
      return canvas.toDataURL().split(',')[1];
    }),
    'base64',
  );

story('an emoji of the server is added, written, and reacted with until it is deleted', async ({ ann, bob }) => {
  await ann.getByRole('button', { name: 'Insert emoji' }).click();
  await ann.getByRole('dialog', { name: 'Emoji' }).getByRole('link', { name: 'Add emoji' }).click();
  await ann.getByText('No emoji yet').waitFor();
  await ann.evaluate(
    (bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], 'Party Parrot.png', { type: 'image/png' }));
      for (const type of ['dragenter', 'drop'])
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    },
    [...(await disc(ann))],
  ); // anywhere on the page
  await becomes(() => ann.getByRole('textbox', { name: 'Name' }).inputValue(), 'party_parrot');
  await accessibleEverywhere(ann, 'emoji-add');
  await ann.getByRole('button', { name: 'Add emoji', exact: true }).click();
  await ann.getByRole('list', { name: 'Emoji of this server' }).getByText(':party_parrot:').waitFor();
  await accessibleEverywhere(ann, 'emoji-list');
  await ann.goBack();

  const box = ann.getByRole('textbox', { name: /^Message/ });
  await box.pressSequentially('look :party_p');
  await ann.getByRole('option', { name: ':party_parrot:' }).waitFor();
  await shot(ann, 'emoji-completion');
  await box.press('Tab');
  await box.pressSequentially('here');
  await box.press('Enter');
  await call('ann', 'POST', `/rooms/${room.id}/messages`, { key: 'large', text: ':party_parrot: 🎉' });
  const picture = (page) => page.getByRole('log').getByAltText(':party_parrot:');
  for (const page of [ann, bob]) await becomes(() => picture(page).count(), 2);
  await call('ann', 'POST', `/rooms/${room.id}/messages`, { key: 'how', text: 'how?' });
  await of(ann, 'how?').focus();
  await ann.keyboard.press('+');
  const picker = ann.getByRole('dialog', { name: 'Emoji' });
  await picker.getByRole('group', { name: 'This server' }).getByRole('option').waitFor();
  await accessible(ann, 'emoji-picker');
  await ann.keyboard.type('party_par');
  await ann.keyboard.press('Enter');
  await chip(ann, ':party_parrot: 1, you reacted', 'how?').waitFor();
  await chip(bob, ':party_parrot: 1', 'how?').tap();
  await chip(ann, ':party_parrot: 2, you reacted', 'how?').waitFor();
  await accessibleEverywhere(ann, 'emoji-shown');

  await call('ann', 'DELETE', '/emoji/party_parrot');
  for (const page of [ann, bob]) await becomes(() => picture(page).count(), 0);
  await chip(bob, ':party_parrot: 2, you reacted', 'how?').getByText(':party_parrot:').waitFor();
});

story('reactions that come above move nothing under the reader', async ({ ann }) => {
  const log = ann.getByRole('log');
  await log.hover();
  await ann.mouse.wheel(0, -200);
  const visible = of(ann, 'line 25');
  await ann.getByRole('button', { name: 'Jump to latest' }).waitFor(); // the reader is away from the end
  const before = await atRest(visible);
  const page = await call('bob', 'GET', `/rooms/${room.id}/timeline?limit=50`);
  const above = page.items.find((e) => e.message?.text === 'line 3');
  await call('bob', 'PUT', `/rooms/${room.id}/messages/${above.seq}/reactions/${encodeURIComponent('👍')}`);
  await of(ann, 'line 3').getByRole('button', { name: '👍 1' }).waitFor({ state: 'attached' });
  const after = await atRest(visible);
  assert.ok(Math.abs(after - before) <= 1, `the line moved from ${before} to ${after}`);
});

story('after a reload, in both themes and sizes, all can be used', async ({ ann }) => {
  await ann.reload();
  await chip(ann, '❤️ 2, you reacted').waitFor();
  await accessibleEverywhere(ann, 'reactions');
  assert.equal(ann.broken, undefined);
});
