// What is sent later and what comes back: Ann at a desk, with a phone.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { becomes, composer, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const { room, call, story, device } = workshop([['bob', 'who waters the plants?']]);

const of = (page, text) =>
  page.locator('#messages article[data-message]').filter({ has: page.getByText(text, { exact: true }) }).first();
const list = (page) => page.getByRole('main', { name: 'Scheduled' });

/** Puts something to a time that comes soon, and a later one where the server reads that when it is over. */
async function soon(path, body) {
  for (let wait = 1000; ; wait *= 2) {
    try {
      return await call('ann', 'PUT', path, { ...body, at: new Date(Date.now() + wait).toISOString() });
    } catch (err) {
      if (wait > 10_000) throw err;
    }
  }
}

let phone;

story('a message is scheduled from beside Send, and is on the phone at once', async ({ ann }) => {
  phone = await device('ann');
  await phone.goto(`${new URL(phone.url()).origin}/scheduled`);
  await list(phone).getByText('No scheduled messages.').waitFor();
  await accessible(phone, 'later-none');
  await shot(phone, 'later-none-phone');
  await composer(ann).fill('good morning, all');
  await ann.getByRole('button', { name: 'Send later' }).click();
  await ann.getByRole('dialog', { name: 'Send later' }).waitFor();
  await accessible(ann, 'later-choose');
  await shot(ann, 'later-choose');
  await ann.keyboard.press('Tab');
  await ann.getByRole('button', { name: /Tomorrow morning/ }).click();
  await list(phone).getByText('good morning, all').waitFor();
  await becomes(() => composer(ann).inputValue(), '');
});

story('it is changed on the phone, and sent at once from the desk', async ({ ann, bob }) => {
  await phone.getByRole('button', { name: 'More about: good morning, all' }).tap();
  await phone.getByRole('menuitem', { name: 'Edit' }).tap();
  await phone.getByLabel('Text').fill('good morning, everybody');
  await shot(phone, 'later-change-phone');
  await phone.getByRole('button', { name: 'Save' }).tap();
  await ann.getByRole('link', { name: 'Scheduled' }).click();
  await list(ann).getByText('good morning, everybody').waitFor();
  await accessibleEverywhere(ann, 'later');
  await shot(ann, 'later');
  await ann.getByRole('button', { name: 'More about: good morning, everybody' }).click();
  await ann.getByRole('menuitem', { name: 'Send now' }).click();
  await of(bob, 'good morning, everybody').waitFor();
  await list(phone).getByText('No scheduled messages.').waitFor();
});

story('a message that may not be sent says why, and keeps its text', async ({ ann }) => {
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const late = await call('ann', 'POST', '/me/scheduled', { key: 'late', room: room.id, text: 'too late', at });
  await call('ann', 'PATCH', `/rooms/${room.id}`, { archived: true });
  await soon(`/me/scheduled/${late.id}`, { text: 'too late' });
  await list(ann).getByText('Not sent.').waitFor();
  await list(ann).getByText('too late').waitFor();
  await shot(ann, 'later-failed');
  await call('ann', 'PATCH', `/rooms/${room.id}`, { archived: false });
});

story('a reminder of a message comes back, is put off, comes again and is done', async ({ ann }) => {
  await ann.goto(`${new URL(ann.url()).origin}/rooms/${room.id}`);
  await of(ann, 'who waters the plants?').hover();
  await of(ann, 'who waters the plants?').getByRole('button', { name: 'More actions' }).click();
  await ann.getByRole('menuitem', { name: 'Remind me' }).click();
  await shot(ann, 'later-remind');
  await ann.getByRole('button', { name: /In 20 minutes/ }).click();
  await phone.getByRole('link', { name: 'who waters the plants?' }).waitFor();
  const { items } = await call('ann', 'GET', '/me/reminders');
  await soon(`/me/reminders/${items[0].id}`);
  await ann.getByText('Reminder: who waters the plants?').waitFor();
  await phone.getByRole('button', { name: /^Done: who waters/ }).waitFor();
  await accessible(phone, 'later-came');
  await shot(phone, 'later-came-phone');
  await phone.getByRole('button', { name: /^Snooze: who waters/ }).tap();
  await phone.getByRole('button', { name: /In an hour/ }).tap();
  await phone.getByRole('button', { name: /^Done/ }).waitFor({ state: 'detached' });
  await soon(`/me/reminders/${items[0].id}`);
  await phone.getByRole('button', { name: /^Done: who waters/ }).tap();
  await phone.getByText('No reminders.').waitFor();
});

story('a reminder of a text is made by the keyboard, and repeats', async ({ ann }) => {
  await ann.getByRole('link', { name: /^Scheduled/ }).click();
  await ann.getByRole('button', { name: 'New reminder' }).focus();
  await ann.keyboard.press('Enter');
  await ann.getByLabel('Text').fill('stand-up');
  await ann.getByLabel('Repeat').selectOption('workdays');
  await shot(ann, 'later-new');
  await ann.keyboard.press('Tab');
  await ann.getByRole('button', { name: 'Remind me' }).press('Enter');
  await phone.getByText('stand-up').waitFor();
  const { items } = await call('ann', 'GET', '/me/reminders');
  assert.deepEqual(items[0].repeat.weekdays, [1, 2, 3, 4, 5]);
});

story('a message repeats on days of the week, is skipped once, paused and resumed', async ({ ann }) => {
  await ann.goto(`${new URL(ann.url()).origin}/rooms/${room.id}`);
  await composer(ann).fill('What are you working on today?');
  await ann.getByRole('button', { name: 'Send later' }).click();
  const dialog = ann.getByRole('dialog', { name: 'Send later' });
  await dialog.getByLabel('Date and time').fill('2027-01-31T09:00');
  await dialog.getByLabel('Repeats').selectOption('monthly');
  await dialog.getByText('Shorter months have their last day instead.').waitFor();
  await dialog.getByLabel('Repeats').selectOption('days');
  await dialog.getByLabel('Mon').check();
  await dialog.getByLabel('Sun').uncheck();
  await accessibleEverywhere(ann, 'later-repeats');
  await shot(ann, 'later-repeats');
  await dialog.getByRole('button', { name: 'Schedule' }).click();
  await ann.getByText('Will be sent every Monday at 09:00').waitFor();
  const row = list(phone).getByRole('listitem').filter({ hasText: 'What are you working on' });
  await row.getByText('every Monday at 09:00').waitFor();
  const kept = async () => {
    const { items } = await call('ann', 'GET', '/me/scheduled');
    return items.find((m) => m.text.startsWith('What are you working on'));
  };
  const { at: first } = await kept();
  const act = async (name) => {
    await row.getByRole('button', { name: /^More about/ }).tap();
    await shot(phone, `later-${name.split(' ')[0].toLowerCase()}-phone`);
    await phone.getByRole('menuitem', { name, exact: true }).tap();
  };
  await act('Skip the next one');
  await becomes(async () => Math.round((Date.parse((await kept()).at) - Date.parse(first)) / 86_400_000), 7);
  await act('Pause');
  await row.getByText('Paused').waitFor();
  await accessible(phone, 'later-paused');
  await shot(phone, 'later-paused-phone');
  await act('Resume');
  await row.getByText('Paused').waitFor({ state: 'detached' });
  const { at, repeat } = await kept();
  assert.deepEqual([Date.parse(at) > Date.parse(first), repeat.weekdays], [true, [1]]);
  await act('Delete');
  await row.waitFor({ state: 'detached' });
});

story('/remind says what it has understood, and takes it back', async ({ ann }) => {
  await ann.goto(`${new URL(ann.url()).origin}/rooms/${room.id}`);
  await composer(ann).fill('/remind ');
  await ann.getByRole('option', { name: 'tomorrow at 9' }).waitFor();
  await accessible(ann, 'later-typed');
  await shot(ann, 'later-typed');
  await composer(ann).fill('/remind on 31.2. tea');
  await composer(ann).press('Enter');
  await ann.getByText('/remind in 20 minutes to call Ben').waitFor();
  await composer(ann).fill('/remind every friday at 16:00 tidy up');
  await composer(ann).press('Enter');
  await ann.getByText(/^I’ll remind you: tidy up/).waitFor();
  await shot(ann, 'later-reminded');
  await phone.getByText('tidy up').waitFor();
  await becomes(() => composer(ann).inputValue(), '');
  await composer(ann).fill('/remind me tomorrow at 9 to water the plants');
  await composer(ann).press('Enter');
  const said = ann.locator('.toast', { hasText: 'I’ll remind you: water the plants' });
  await said.getByRole('button', { name: 'Undo' }).click();
  await ann.getByText('You won’t be reminded').waitFor();
  const { items } = await call('ann', 'GET', '/me/reminders');
  assert.deepEqual(items.map((r) => r.text), ['stand-up', 'tidy up']);
});
