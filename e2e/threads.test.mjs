// People reply in threads: by keyboard alone, by pointer, and on a phone.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { becomes, composer, hasFocus, line, shot } from './people.mjs';
import { said, workshop } from './workshop.mjs';

const { room, call, story } = workshop([...said('ann', 40), ['ann', 'tea?']]);

/** The row of a message in the room, or beside it. */
const of = (within, text) =>
  within.locator('article[data-message]').filter({ has: within.page().getByText(text, { exact: true }) }).first();

const panel = (page) => page.getByRole('complementary', { name: 'Thread' });
const main = (page) => page.locator('#messages');
const box = (page) => panel(page).getByRole('textbox', { name: 'Reply in thread' });
const root = async (text) => {
  const { items } = await call('ann', 'GET', `/rooms/${room.id}/timeline?main=true&limit=200`);
  return items.find((e) => e.message?.text === text).seq;
};
let n = 0;
const reply = (who, thread, text, more) =>
  call(who, 'POST', `/rooms/${room.id}/messages`, { key: `reply-${n++}`, text, thread, ...more });

story('a key opens the thread of a message, and a reply is written there and not in the room', async (people) => {
  const { ann, bob } = people;
  await of(main(ann), 'tea?').focus();
  await ann.keyboard.press('t');
  await panel(ann).getByText('No replies yet').waitFor();
  await box(ann).fill('with milk');
  await ann.keyboard.press('Enter');
  await panel(ann).getByText('with milk', { exact: true }).waitFor();
  await of(main(bob), 'tea?').getByRole('button', { name: /1 reply/ }).waitFor();
  await becomes(() => main(bob).getByText('with milk', { exact: true }).count(), 0);
  await accessible(ann, 'thread');
});

story('on a phone the thread is the whole page, and both see what the other says', async ({ ann, bob }) => {
  await of(main(bob), 'tea?').getByRole('button', { name: /1 reply/ }).tap();
  await panel(bob).getByText('with milk', { exact: true }).waitFor();
  assert.equal((await panel(bob).boundingBox()).width, 390);
  await panel(bob).getByRole('textbox').fill('and two sugars');
  await panel(bob).getByRole('button', { name: 'Send', exact: true }).tap();
  await panel(ann).getByText('and two sugars', { exact: true }).waitFor();
  await of(main(ann), 'tea?').getByRole('button', { name: /2 replies/ }).waitFor();
  await accessibleEverywhere(bob, 'phone-thread');
  await becomes(() => panel(bob).getByRole('switch', { name: 'Follow this thread' }).isChecked(), true);
});

story('replies are reacted to, changed and deleted in the thread, by keyboard alone', async ({ ann, bob }) => {
  await of(panel(ann), 'and two sugars').focus();
  await ann.keyboard.press('+');
  await ann.getByRole('dialog', { name: 'Emoji' }).getByRole('combobox').waitFor();
  await ann.keyboard.type('thumbs_up');
  await ann.keyboard.press('Enter');
  await panel(bob).getByRole('button', { name: /👍/ }).waitFor();
  await of(panel(ann), 'with milk').focus();
  await ann.keyboard.press('e');
  await hasFocus(panel(ann).getByLabel('Edit message'));
  await ann.keyboard.type(', please');
  await ann.keyboard.press('Enter');
  await panel(bob).getByText('with milk, please').waitFor();
  await of(main(ann), 'tea?').getByRole('button', { name: /2 replies/ }).waitFor();
});

story('a pasted file goes with a reply', async ({ ann, bob }) => {
  await box(ann).evaluate((node) => {
    const data = new DataTransfer();
    data.items.add(new File(['one spoon'], 'recipe.txt', { type: 'text/plain' }));
    node.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  });
  await box(ann).fill('how I make it');
  await ann.keyboard.press('Enter');
  await panel(bob).getByText('recipe.txt').first().waitFor();
  await panel(bob).getByText('how I make it').waitFor();
  await becomes(() => main(ann).getByText('recipe.txt').count(), 0);
});

story('a reply that is also sent to the room is a line of it, and leads back to the thread', async ({ ann, bob }) => {
  await panel(ann).getByRole('checkbox', { name: 'Also send to #Workshop' }).check();
  await box(ann).fill('tea is served');
  await ann.keyboard.press('Enter');
  await line(ann, 'tea is served').first().waitFor();
  await panel(ann).getByText('tea is served', { exact: true }).waitFor();
  await becomes(() => panel(ann).getByRole('checkbox', { name: /Also send/ }).isChecked(), false);
  await bob.getByRole('button', { name: 'Back' }).first().tap();
  const row = of(main(bob), 'tea is served');
  await row.waitFor();
  const who = row.locator('.quote .who');
  await becomes(() => who.innerText(), 'Ann');
  assert.ok(await who.evaluate((name) => name.scrollWidth <= name.clientWidth), 'the name is cut');
  await row.getByRole('button', { name: 'In a thread' }).tap();
  await panel(bob).getByText('tea is served', { exact: true }).waitFor();
  await shot(ann, 'thread-broadcast');
});

story('a thread that goes on elsewhere is unread in the rail until it is read on any device', async ({ ann }) => {
  const tea = await root('tea?');
  await ann.keyboard.press('Escape');
  await panel(ann).waitFor({ state: 'detached' });
  const threads = ann.getByRole('navigation').getByRole('link', { name: /Threads/ });
  await reply('bob', tea, 'more?');
  await ann.getByRole('link', { name: /Threads.*1 unread thread/ }).waitFor();
  await threads.click();
  const unread = ann.getByRole('region', { name: 'Unread' });
  await unread.getByText('more?').waitFor();
  await accessibleEverywhere(ann, 'threads');
  await unread.getByRole('link').focus();
  await ann.keyboard.press('Enter');
  await panel(ann).getByText('more?', { exact: true }).waitFor();
  await ann.getByRole('link', { name: 'Threads', exact: true }).waitFor();
  await becomes(async () => (await call('ann', 'GET', `/rooms/${room.id}`)).threads ?? 0, 0);

  await ann.goBack();
  await ann.getByRole('region', { name: 'Threads that you follow' }).getByText('more?').waitFor();
  const { seq } = await reply('bob', tea, 'and cake?');
  await unread.getByText('and cake?').waitFor();
  await call('ann', 'PUT', `/rooms/${room.id}/messages/${tea}/thread/read`, { seq });
  await unread.waitFor({ state: 'detached' });
  await ann.getByRole('link', { name: 'Threads', exact: true }).waitFor();
});

story('replies are unread again from one on, also while their thread is shown', async ({ ann, bob }) => {
  await ann.getByRole('region', { name: 'Threads that you follow' }).getByRole('link', { name: /and cake/ }).click();
  const row = of(panel(ann), 'and cake?');
  await row.focus();
  await ann.keyboard.press('u');
  await ann.getByRole('link', { name: /Threads.*1 unread thread/ }).waitFor();
  await panel(ann).getByRole('separator', { name: 'New' }).waitFor();
  await ann.evaluate(() => window.dispatchEvent(new Event('focus'))); // looking at it does not read it
  assert.equal((await call('ann', 'GET', `/rooms/${room.id}`)).threads, 1);
  await ann.goBack();
  await ann.getByRole('region', { name: 'Unread' }).getByRole('link', { name: /and cake/ }).click();
  await ann.getByRole('link', { name: 'Threads', exact: true }).waitFor();
  await ann.goBack();
  await ann.getByRole('region', { name: 'Threads that you follow' }).getByText('and cake?').waitFor();
});

story('the address of a reply and a search lead to it in its thread', async ({ ann, bob }) => {
  const tea = await root('tea?');
  const { seq } = await reply('bob', tea, 'marzipan');
  await ann.goto(`${new URL(ann.url()).origin}/rooms/${room.id}/${seq}`);
  await panel(ann).getByText('marzipan', { exact: true }).waitFor();
  await ann.waitForURL(new RegExp(`/${seq}\\?thread=${tea}$`));
  await ann.keyboard.press('Escape');
  await panel(ann).waitFor({ state: 'detached' });
  // The index follows the messages by a moment.
  await becomes(async () => (await call('bob', 'GET', '/search?q=marzipan')).items.length, 1);
  await bob.goto(`${new URL(ann.url()).origin}/search?q=marzipan`);
  await bob.getByRole('link', { name: /marzipan/ }).tap();
  await panel(bob).getByText('marzipan', { exact: true }).waitFor();
});

story('a reply that is deleted is counted no longer', async ({ ann }) => {
  const tea = await root('tea?');
  const { items } = await call('ann', 'GET', `/rooms/${room.id}/messages/${tea}/thread`);
  await call('bob', 'DELETE', `/rooms/${room.id}/messages/${items.at(-1).seq}`);
  await of(main(ann), 'tea?').getByRole('button', { name: new RegExp(`${items.length - 1} replies`) }).waitFor();
});

story('somebody follows all threads of a room, also those that others begin', async ({ ann }) => {
  await ann.getByRole('button', { name: 'Room details' }).first().click();
  await ann.getByRole('switch', { name: 'Follow all threads' }).click();
  await composer(ann).first().waitFor();
  const choices = async () => (await call('ann', 'GET', '/notifications')).choices;
  await ann.getByRole('combobox', { name: 'Tell me of' }).selectOption('Every message');
  await becomes(choices, [{ room: room.id, level: 'all' }]);
  await ann.getByRole('combobox', { name: 'Tell me of' }).selectOption('');
  await becomes(choices, []);
  const begun = await root('line 39');
  await reply('bob', begun, 'about that line');
  await ann.getByRole('link', { name: /Threads.*1 unread thread/ }).waitFor();
  await of(main(ann), 'line 39').focus();
  await ann.keyboard.press('t');
  await ann.getByRole('button', { name: 'Notifications from this thread' }).click();
  await ann.getByRole('menuitemradio', { name: 'Nothing' }).click();
  await becomes(choices, [{ room: room.id, thread: begun, level: 'nothing' }]);

  const follows = ann.getByRole('switch', { name: 'Follow this thread' });
  await follows.click();
  await becomes(() => follows.isChecked(), false);
  await ann.getByRole('button', { name: 'Notifications from this thread' }).click();
  await ann.getByRole('menuitemradio', { name: 'Every reply' }).click();
  await becomes(choices, [{ room: room.id, thread: begun, level: 'all' }]);
  await becomes(() => follows.isChecked(), true);
});

story('messages are marked as unread from one on, and stay so until one comes back', async ({ ann, bob }) => {
  const from = await root('line 38');
  await call('bob', 'PUT', `/rooms/${room.id}/messages/${from}/unread`);
  assert.ok((await call('bob', 'GET', `/rooms/${room.id}`)).unread > 2);
  await ann.keyboard.press('Escape');
  await call('bob', 'POST', `/rooms/${room.id}/messages`, { key: 'last', text: 'the last word' });
  await of(main(ann), 'the last word').focus();
  await ann.keyboard.press('u');
  await ann.getByRole('link', { name: /Workshop.*1 unread message/ }).waitFor();
  await main(ann).getByText('New', { exact: true }).waitFor();
  await ann.getByRole('link', { name: 'Threads' }).click();
  await ann.getByRole('link', { name: /Workshop.*1 unread message/ }).click();
  await ann.getByRole('link', { name: 'Workshop', exact: true }).waitFor();
});
