// The page on which people choose what they are told of: saved as it is chosen, taken back when it is refused, and
// usable without a mouse, on a phone and in German.
import assert from 'node:assert/strict';
import { accessibleEverywhere } from './axe.mjs';
import { becomes, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const { server, room, call, story } = workshop([['ann', 'hello']]);

const part = (page, name) => page.getByRole('region', { name, exact: true });
const saved = (page, name) => part(page, name).getByText('Saved', { exact: true }).waitFor();

/** What the server has of Ann becomes so. A part may still say that it is saved of the choice before. */
const keeps = (what, want) => becomes(async () => (await call('ann', 'GET', '/notifications'))[what], want);

async function open(page) {
  await page.goto(`${server.url}/settings/notifications`);
  await part(page, 'Tell me of').waitFor();
}

story('what is chosen is saved at once, and is there on the other device', async ({ ann, bob }) => {
  await open(ann);
  await ann.getByRole('radio', { name: /^Nothing/ }).check();
  await saved(ann, 'Tell me of');
  await keeps('level', 'nothing');
  await call('ann', 'PUT', '/notifications', { level: 'all', keywords: ['tea'], quiet: { spans: [] } });
  await ann.getByRole('radio', { name: /^Every message/, checked: true }).waitFor(); // without a reload
  await part(ann, 'Keywords').getByText('tea', { exact: true }).waitFor();

  await open(bob);
  await part(bob, 'Summary by mail').getByText('This server can’t send mail').waitFor();
  await accessibleEverywhere(bob, 'notify-empty');
});

story('a room has a level of its own, and goes back to the default', async ({ ann }) => {
  const rooms = part(ann, 'Rooms with their own choice');
  await rooms.getByRole('combobox', { name: 'Room', exact: true }).selectOption('Workshop');
  await rooms.getByRole('combobox', { name: 'Tell me of' }).selectOption('Nothing');
  await rooms.getByRole('button', { name: 'Add', exact: true }).click();
  await rooms.getByRole('link', { name: 'Workshop' }).waitFor();
  await saved(ann, 'Rooms with their own choice');
  await keeps('choices', [{ room: room.id, level: 'nothing' }]);
  await rooms.getByLabel('Notifications from Workshop').selectOption('Mentions');
  await saved(ann, 'Rooms with their own choice');
  await keeps('choices', [{ room: room.id, level: 'mentions' }]);
  await shot(ann, 'notify-room');
  await rooms.getByRole('button', { name: 'Workshop: back to the default' }).click();
  await rooms.getByText('All rooms follow the choice above').waitFor();
  await saved(ann, 'Rooms with their own choice');
  await keeps('choices', []);
});

story('keywords, quiet hours and a pause are chosen without a mouse', async ({ ann }) => {
  const press = (key) => ann.keyboard.press(key);
  const words = part(ann, 'Keywords');
  await words.getByLabel('Word or phrase').focus();
  await ann.keyboard.type('coffee machine');
  await press('Enter');
  await words.getByText('coffee machine', { exact: true }).waitFor();
  await saved(ann, 'Keywords');
  await ann.keyboard.type('TEA');
  await words.getByText('This keyword is there already.').waitFor();
  await press('Control+a');
  await press('Delete');
  await words.getByRole('button', { name: 'Remove tea' }).focus();
  await press('Enter');
  await words.getByText('tea', { exact: true }).waitFor({ state: 'detached' });
  await saved(ann, 'Keywords');
  await keeps('keywords', ['coffee machine']);

  const quiet = part(ann, 'Quiet hours');
  await quiet.getByRole('button', { name: 'Add quiet hours' }).focus();
  await press('Enter');
  await quiet.getByRole('checkbox', { name: 'Sun' }).focus();
  await press('Space');
  await quiet.getByRole('checkbox', { name: 'Sun', checked: false }).waitFor();
  await quiet.getByLabel('From').fill('21:30');
  await quiet.getByLabel('Time zone').selectOption('Asia/Tokyo');
  await quiet.getByText(/^Clocks there show/).waitFor();
  await saved(ann, 'Quiet hours');
  await keeps('quiet', {
    zone: 'Asia/Tokyo',
    spans: [{ weekdays: [1, 2, 3, 4, 5, 6], start: '21:30', end: '07:00' }],
  });
  for (const day of ['Mon', 'Tue', 'Wed', 'Thu', 'Fri']) await quiet.getByRole('checkbox', { name: day }).uncheck();
  await quiet.getByRole('checkbox', { name: 'Sat' }).click();
  await quiet.getByText('Quiet hours have at least one day').waitFor();
  await becomes(() => quiet.getByRole('checkbox', { name: 'Sat' }).isChecked(), true);

  const pause = part(ann, 'Pause');
  await pause.getByRole('button', { name: 'For an hour' }).focus();
  await press('Enter');
  await pause.getByText(/Paused until/).waitFor();
  await saved(ann, 'Pause');
  await keeps('paused_until', /Z$/);
  const left = Date.parse((await call('ann', 'GET', '/notifications')).paused_until) - Date.now();
  assert.ok(left > 50 * 60_000 && left <= 3_600_000, `${left}`);
  await accessibleEverywhere(ann, 'notify-full');
  await pause.getByRole('button', { name: 'Resume now' }).click();
  await pause.getByRole('button', { name: 'For an hour' }).waitFor();
  await saved(ann, 'Pause');
  await keeps('paused_until', undefined);
});

story('what the server refuses, and what does not reach it, is taken back and said', async ({ ann }) => {
  const level = part(ann, 'Tell me of');
  await ann.route('**/api/v1/notifications', (route) =>
    route.request().method() === 'PUT'
      ? route.fulfill({
          status: 503,
          contentType: 'application/problem+json',
          body: JSON.stringify({ kind: 'unavailable', code: 'busy' }),
        })
      : route.continue(),
  );
  await level.getByRole('radio', { name: /^Nothing/ }).click();
  await level.getByText('Not saved. The server is busy. Try again in a moment.').waitFor();
  await becomes(() => level.getByRole('radio', { name: /^Every message/ }).isChecked(), true);
  await ann.unroute('**/api/v1/notifications');

  await ann.context().setOffline(true);
  const hidden = part(ann, 'On locked screens');
  await hidden.getByRole('switch').click();
  await hidden.getByText(/^Not saved\./).waitFor();
  await becomes(() => hidden.getByRole('switch').isChecked(), false);
  await shot(ann, 'notify-offline');
  await ann.context().setOffline(false);
  await ann.getByText(/offline/i).first().waitFor({ state: 'detached' });
  await hidden.getByRole('switch').click();
  await saved(ann, 'On locked screens');
  await keeps('hide_text', true);
});

story('choices that cannot be loaded are asked for again', async ({ bob }) => {
  await bob.route('**/api/v1/notifications', (route) => route.abort());
  await bob.goto(`${server.url}/settings/notifications`);
  await bob.getByRole('heading', { name: 'Your choices couldn’t be loaded' }).waitFor();
  await shot(bob, 'notify-away');
  await bob.unroute('**/api/v1/notifications');
  await bob.getByRole('button', { name: 'Try again' }).click();
  await part(bob, 'Tell me of').waitFor();
});

story('a browser says honestly how it stands, in German too', async ({ bob }) => {
  await bob.addInitScript(() =>
    Object.defineProperty(Notification, 'permission', { configurable: true, get: () => 'denied' }),
  );
  await open(bob);
  await part(bob, 'This browser').getByText(/^Notifications are blocked\./).waitFor();
  await bob.evaluate(() => {
    Object.defineProperty(Notification, 'permission', { configurable: true, get: () => 'default' });
    dispatchEvent(new Event('focus'));
  });
  await part(bob, 'This browser').getByRole('button', { name: 'Turn on notifications' }).waitFor();
  await call('bob', 'PATCH', '/me', { locale: 'de' });
  await bob.getByRole('heading', { name: 'Benachrichtigungen', exact: true }).waitFor();
  await part(bob, 'Ruhezeiten').getByRole('button', { name: 'Ruhezeit hinzufügen' }).click();
  await part(bob, 'Ruhezeiten').getByRole('checkbox', { name: 'Mo' }).waitFor();
  await accessibleEverywhere(bob, 'notify-de');
});
