// What an administrator does, in one browser, and what others see of it, in
// theirs: each of it is in the audit log while one looks on.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { becomes, composer, hasFocus, launch, line, password, shot, signUp, visitor } from './people.mjs';
import { Server } from './server.mjs';

const models = mkdtempSync(join(tmpdir(), 'unhidra-models-'));
const python = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 11))']).status === 0;
const server = new Server({
  RATE_LIMIT_LOGIN_PER_MINUTE: '1000',
  RATE_LIMIT_LOGIN_BURST: '1000',
  UNHIDRA_ML: 'on',
  UNHIDRA_ML_MODELS: models,
});
let browser;
let page; // the administrator's
let bob;

before(async () => {
  await server.start();
  browser = await launch();
  page = await visitor(browser, { acceptDownloads: true });
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  bob = await visitor(browser);
});

after(async () => {
  await browser?.close();
  await server.close();
  rmSync(models, { recursive: true, force: true });
});

function chapter(name, fn) {
  test(name, async () => {
    try {
      await fn();
    } catch (err) {
      await shot(page, 'failed-admin');
      await shot(bob, 'failed-admin-bob');
      console.log(page.url(), await page.locator('body').ariaSnapshot());
      throw err;
    }
  });
}

const at = (p, section) => p.goto(`${server.url}/admin/${section}`);
const dialog = (p = page) => p.getByRole('dialog').last();
const row = (text, p = page) => p.getByRole('main').getByRole('listitem').filter({ hasText: text }).first();
const account = async (name) => {
  await at(page, 'users');
  await row(name).getByRole('link').click();
  await page.getByRole('heading', { name: 'Sign-in' }).waitFor();
};
const signIn = async (p, name, pass = password) => {
  await p.goto(`${server.url}/sign-in`);
  await p.getByLabel('Username or e-mail').fill(name);
  await p.getByRole('textbox', { name: 'Passphrase' }).fill(pass);
  await p.getByRole('button', { name: 'Sign in', exact: true }).click();
};

/** Signs the administrator in anew: what is dangerous then asks for no proof, however slow the machine is. */
const fresh = async () => {
  await page.context().clearCookies();
  await signIn(page, 'root');
  await page.getByRole('heading', { name: /^Welcome/ }).waitFor();
};

/** The log, with what the last seconds brought, has such a record. */
const logged = (what, who = 'root') =>
  page
    .getByRole('list', { name: 'Audit log' })
    .getByRole('listitem')
    .filter({ hasText: what })
    .filter({ hasText: who })
    .first()
    .waitFor();

chapter('the way there, for administrators alone', async () => {
  await page.goto(server.setupLink);
  await page.getByRole('radio', { name: /^By invitation/ }).check();
  await shot(page, 'setup-joining');
  await signUp(page, 'root', 'Ada Root', 'Create administrator account');
  await page.getByRole('heading', { name: /^Welcome/ }).waitFor();
  await at(page, 'server');
  await page.getByRole('radio', { name: /^By invitation/, checked: true }).waitFor();
  await page.getByRole('radio', { name: /^Anyone/ }).check();
  await page.getByRole('status', { name: 'Notifications' }).getByText('Saved').waitFor();
  await page.goto(server.url);
  await page.getByRole('button', { name: 'Your account' }).click();
  await page.getByRole('menuitem', { name: 'Administration' }).click();
  await page.getByRole('heading', { name: 'Accounts' }).waitFor();
  await bob.goto(`${server.url}/sign-up`);
  await signUp(bob, 'bob', 'Bob Jones', 'Create account');
  await bob.getByRole('heading', { name: /^Welcome/ }).waitFor();
  await bob.getByRole('button', { name: 'Your account' }).click();
  await bob.getByRole('menuitem', { name: 'Settings' }).waitFor();
  await becomes(() => bob.getByRole('menuitem', { name: 'Administration' }).count(), 0);
  await at(bob, 'users');
  await bob.getByText('Administrators only').waitFor();
  await bob.goto(server.url);
  await bob.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

chapter('accounts are found by name, without a mouse', async () => {
  await at(page, 'users');
  await row('Bob Jones').waitFor();
  await page.getByRole('searchbox').fill('nobody at all');
  await page.getByText('No accounts found').waitFor();
  await page.getByRole('searchbox').fill('bo');
  await row('Bob Jones').waitFor();
  await becomes(() => row('Ada Root').count(), 0);
  await accessibleEverywhere(page, 'admin-users');
  await page.getByRole('searchbox').focus();
  for (
    let i = 0;
    i < 10 &&
    !(await row('Bob Jones')
      .getByRole('link')
      .evaluate((a) => a === document.activeElement));
    i++
  )
    await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Bob Jones' }).waitFor();
  await accessibleEverywhere(page, 'admin-user');
});

chapter('whoever is disabled is signed out while they look, and comes back when enabled', async () => {
  await fresh();
  await account('Bob Jones');
  await page.getByRole('button', { name: 'Disable' }).click();
  await shot(page, 'admin-disable');
  await dialog().getByRole('button', { name: 'Disable' }).click();
  await bob.getByText('You were signed out').waitFor(); // how soon its socket closes is held in Go
  await page.getByText('Cannot sign in').waitFor();
  await signIn(bob, 'bob');
  await bob
    .getByRole('alert')
    .getByText(/disabled|wrong/i)
    .waitFor();
  await page.getByRole('button', { name: 'Enable' }).click();
  await page.getByText('Can sign in').waitFor();
  await signIn(bob, 'bob');
  await bob.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

chapter('one session is ended, and its page says so', async () => {
  await account('Bob Jones');
  const sessions = page.getByRole('list', { name: 'Active sessions' });
  await sessions.getByRole('button', { name: 'Sign out' }).first().click();
  await bob.getByText('You were signed out').waitFor();
  await page.getByText('No active sessions').waitFor();
});

chapter('a new passphrase is required, by a link where there is no mail', async () => {
  await account('Bob Jones');
  await page.getByRole('button', { name: 'Reset' }).click();
  await dialog().getByRole('button', { name: 'Reset' }).click();
  const link = await page.getByLabel('Passphrase reset link').inputValue();
  await bob.goto(link);
  const next = 'a second song, about snow and stars';
  await bob.getByRole('textbox', { name: 'Passphrase' }).fill(next);
  await bob.getByRole('button', { name: 'Save' }).click();
  await bob.getByText('Your new passphrase is saved').waitFor();
  await signIn(bob, 'bob', next);
  await bob.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

chapter('an invitation is made, used by somebody, and revoked', async () => {
  await fresh();
  await at(page, 'server');
  await page.getByLabel('By invitation').check();
  await page.getByRole('status', { name: 'Notifications' }).getByText('Saved').waitFor();
  const days = page.getByLabel('Days', { exact: true });
  await days.fill('36501');
  await page.getByText('At most 36,500 days.').waitFor();
  await becomes(() => page.getByRole('button', { name: 'Save' }).isDisabled(), true);
  await days.fill('');
  await accessibleEverywhere(page, 'admin-server');
  await at(page, 'invites');
  await page.getByText('No active invitations').waitFor();
  await page.getByLabel('Note').fill('Cy');
  await page.getByLabel('Accounts').selectOption({ label: '5 accounts' });
  await page.getByRole('button', { name: 'Create invitation' }).click();
  const link = await page.getByLabel('Invitation link').inputValue();
  await row('Cy').getByText('Not used yet').waitFor();
  await accessibleEverywhere(page, 'admin-invites');
  const cy = await visitor(browser);
  await cy.goto(link);
  // A server follows a change of its settings within seconds.
  await cy.getByRole('heading', { name: 'Create your account' }).waitFor();
  await signUp(cy, 'cy', 'Cy Brown', 'Create account');
  await cy.getByRole('heading', { name: /^Welcome/ }).waitFor();
  await cy.context().close();
  await row('Cy').getByText('Used 1 of 5').waitFor(); // the page asks again by itself
  await row('Cy').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('No active invitations').waitFor();
});

chapter('a guest comes by an invitation, and the access is ended', async () => {
  await fresh();
  await at(page, 'invites');
  await page.getByLabel('As', { exact: true }).selectOption({ label: 'Guest for 7 days' });
  await page.getByRole('button', { name: 'Create invitation' }).click();
  const guest = await visitor(browser);
  await guest.goto(await page.getByLabel('Invitation link').inputValue());
  await signUp(guest, 'gil', 'Gil Guest', 'Create account');
  await guest.getByRole('button', { name: 'Your account' }).waitFor();
  await becomes(() => guest.getByRole('link', { name: 'Devices' }).count(), 0);
  await at(page, 'users');
  await page.getByRole('button', { name: 'Guests' }).click();
  await becomes(() => row('Bob Jones').count(), 0);
  await row('guest until').getByRole('link').click();
  await page.getByText(/^Guest until/).waitFor();
  await accessibleEverywhere(page, 'admin-guest');
  await page.getByRole('button', { name: 'End now' }).click();
  await dialog().getByRole('button', { name: 'End now' }).click();
  await page.getByText(/^Guest access ended/).waitFor();
  await guest.getByText(/^Your guest access ended on /).waitFor();
  await guest.context().close();
});

chapter('a room is put under a legal hold, and exported with what was deleted in it', async () => {
  await bob.getByRole('button', { name: 'Create room' }).first().click();
  await bob.getByRole('dialog').getByLabel('Name').fill('Den');
  await bob.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await composer(bob).fill('nobody will ever know');
  await composer(bob).press('Enter');
  const said = line(bob, 'nobody will ever know');
  await said.waitFor();
  await fresh();
  await at(page, 'rooms');
  const actions = page.getByRole('button', { name: 'Actions for Den' });
  const choose = async (item) => {
    await actions.click();
    await page.getByRole('menuitem', { name: item }).click();
  };
  await choose('Put under legal hold');
  await hasFocus(dialog().getByLabel('Reason'));
  await page.keyboard.type('case 7');
  await accessibleEverywhere(page, 'admin-hold');
  await page.keyboard.press('Enter');
  await row('Den').getByText('Legal hold').waitFor();
  await accessibleEverywhere(page, 'admin-held');
  await bob.getByText('put the room under a legal hold').waitFor();
  const message = bob.getByRole('article').filter({ hasText: 'nobody will ever know' });
  await message.hover();
  await message.getByRole('button', { name: /more/i }).click();
  await bob.getByRole('menuitem', { name: /delete/i }).click();
  await dialog(bob).getByRole('button', { name: 'Delete' }).click();
  await said.waitFor({ state: 'detached' });

  const room = new URL(bob.url()).pathname.split('/').pop();
  const lines = server
    .command('room', 'export', room)
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l));
  assert.ok(lines[0].export.room.held, 'the first line says that the room is held');
  const kept = lines.filter((l) => l.earlier).map((l) => l.earlier);
  assert.deepEqual(
    kept.map((e) => [e.text, e.deleted_by.username]),
    [['nobody will ever know', 'bob']],
  );
  assert.deepEqual(lines.at(-1), { end: { events: lines[0].export.room.head, earlier: 1 } });

  await actions.click();
  await becomes(() => page.getByRole('menuitem', { name: 'Delete room' }).isDisabled(), true, 'it cannot be deleted');
  await page.getByRole('menuitem', { name: 'End legal hold' }).click();
  await dialog().getByLabel('Reason').fill('case 7 is closed');
  await accessibleEverywhere(page, 'admin-release');
  await dialog().getByRole('button', { name: 'End legal hold' }).click();
  await row('Den').getByText('Legal hold').waitFor({ state: 'detached' });
  await bob.getByText('ended the legal hold').waitFor();
  assert.ok(
    !server.command('room', 'export', room).includes('nobody will ever know'),
    'what was kept is gone with the hold',
  );
});

chapter('a user group is made, and a mention of it says who is in it', async () => {
  await at(page, 'groups');
  await page.getByText('No groups yet').waitFor();
  const [handle, create] = [page.getByLabel('Handle'), page.getByRole('button', { name: 'Create group' })];
  await handle.fill('bob');
  await create.click();
  await page.getByText('This name is taken').waitFor();
  await handle.fill('backend');
  await page.getByLabel('Name').fill('Backend team');
  await create.click();
  await page.getByRole('heading', { name: 'Backend team' }).waitFor();
  await page.getByRole('combobox').fill('bob');
  await page.getByRole('option', { name: 'Bob Jones' }).click();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('list', { name: 'People' }).getByText('Bob Jones').waitFor();
  await accessibleEverywhere(page, 'admin-group');
  await composer(bob).pressSequentially('@backe');
  await bob.getByRole('option', { name: 'Backend team' }).click();
  await composer(bob).press('Enter');
  await bob.getByRole('button', { name: '@backend' }).click();
  const card = bob.getByRole('dialog', { name: 'Group Backend team' });
  await card.getByText('You’re in this group.').waitFor();
  await shot(bob, 'user-group-card');
  await card.getByRole('button', { name: /Bob Jones/ }).click();
  await bob.getByRole('dialog', { name: /Bob Jones/ }).waitFor();
  await bob.keyboard.press('Escape');
  await at(page, 'groups');
  await row('Backend team').getByText('1 person').waitFor();
  await accessibleEverywhere(page, 'admin-groups');
});

chapter('rooms are archived and deleted, and nothing in them is read', async () => {
  await at(page, 'rooms');
  await row('Den').getByText('owned by Bob Jones').waitFor();
  await accessibleEverywhere(page, 'admin-rooms');
  await fresh();
  await at(page, 'rooms');
  await page.getByRole('button', { name: 'Actions for Den' }).click();
  await page.getByRole('menuitem', { name: 'Archive room' }).click();
  await bob.getByText('This room is archived').waitFor();
  await row('Den').getByText('archived').waitFor();
  await page.getByRole('button', { name: 'Actions for Den' }).click();
  await page.getByRole('menuitem', { name: 'Delete room' }).click();
  await dialog().getByLabel('Name of the room').fill('Den');
  await dialog().getByRole('button', { name: 'Delete room' }).click();
  await bob.getByText('This room was deleted').or(bob.getByText('Room not found')).first().waitFor();
  await page.getByText('No rooms found').waitFor();
});

chapter('the log is followed, filtered, downloaded and checked', async () => {
  await at(page, 'audit');
  for (const what of [
    'Account disabled',
    'Account enabled',
    'Session revoked',
    'Passphrase reset by an administrator',
    'Setting changed',
    'Invitation created',
    'Invitation revoked',
    'Room archived, deleted, exported or put under legal hold',
  ])
    await logged(what);
  // What happens now comes by itself.
  const stranger = await visitor(browser);
  await signIn(stranger, 'cy', 'not the passphrase at all');
  await stranger.getByText('Wrong username or passphrase').waitFor();
  await stranger.context().close();
  await page
    .getByRole('list', { name: 'Audit log' })
    .getByRole('listitem')
    .filter({ hasText: 'Signed in' })
    .filter({ hasText: 'Failed' })
    .first()
    .waitFor();
  await accessibleEverywhere(page, 'admin-audit');
  const filter = page.getByRole('search', { name: 'Filters' }).locator('select, input');
  const tops = await filter.evaluateAll((all) =>
    all.map((f) => f.getBoundingClientRect()).map((r) => `${r.top}+${r.height}`),
  );
  assert.equal(tops.length, 5);
  assert.equal(new Set(tops).size, 1, `the filter is one line: ${tops.join(' ')}`);

  await page.getByLabel('Outcome').selectOption('failure');
  await page.waitForURL(/outcome=failure/);
  await page.getByRole('list', { name: 'Audit log' }).getByText('Failed').first().waitFor();
  await becomes(() => page.getByRole('list', { name: 'Audit log' }).getByText('Account disabled').count(), 0);
  await page.goBack();
  await logged('Account disabled');
  await page.getByLabel('User', { exact: true }).fill('bob');
  await page.getByLabel('User', { exact: true }).press('Enter');
  await page.waitForURL(/actor=usr_/);
  await logged('Signed in', 'bob');
  await becomes(() => page.getByRole('list', { name: 'Audit log' }).getByText('Account disabled').count(), 0);
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.getByLabel('Event').selectOption({ label: 'Administration' });
  await logged('Account disabled');
  const first = page.getByRole('list', { name: 'Audit log' }).getByRole('listitem').first();
  await first.getByText('root').first().click();
  await first.getByText('request_id').waitFor();
  await accessibleEverywhere(page, 'admin-audit-record');

  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download results' }).click(),
  ]);
  const lines = readFileSync(await file.path(), 'utf8')
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l));
  assert.ok(
    lines.length > 5 && lines.every((r) => /^(admin|config)\./.test(r.type) && r.hash),
    'the file has what was shown',
  );
  await page.getByRole('button', { name: 'Verify log' }).click();
  await page.getByText('The log is intact').waitFor();
  await shot(page, 'admin-verify');
});

chapter('how the server stands', async () => {
  await at(page, 'health');
  await page.getByText('No mail server is configured').waitFor();
  await page.getByText('SQLite').waitFor();
  await accessibleEverywhere(page, 'admin-health');
});

chapter('models are seen, tried, unloaded and loaded', async () => {
  await fresh();
  await at(page, 'models');
  await page.getByRole('heading', { name: python ? 'No models yet' : 'Models', level: 2 }).last().waitFor();
  if (!python) return page.getByText('No models run.').waitFor();
  const run = (...args) =>
    execFileSync(new URL('../bin/unhidra', import.meta.url).pathname, ['model', ...args], {
      cwd: models,
      env: { ...process.env, UNHIDRA_ML_MODELS: models, UNHIDRA_ML: 'on' },
    });
  run('init', '.greet', 'greet'); // no model has a dot in its name: it is none by itself
  run('add', '.greet');
  const model = page.getByRole('region', { name: 'greet', exact: true });
  const version = model.getByRole('article', { name: 'Version 1' });
  await version.getByText('ready', { exact: true }).waitFor({ timeout: 120_000 }); // Python starts, and its cases run
  await version.getByText('Workers, sandbox and log').click();
  await version.getByText('What the supervisor did').click();
  await version.getByText('Worker 1: ready').waitFor();
  await version.getByText(/Held by: .*core/).waitFor();
  await accessibleEverywhere(page, 'admin-models');

  await model.getByRole('button', { name: 'Try greet' }).click();
  const field = dialog().getByLabel('text', { exact: true });
  await becomes(() => field.inputValue(), 'hello\ngrößer', 'the first golden case is filled in');
  await field.fill('otter\nowl\nbe');
  await field.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter'); // on Ask, past Close
  await dialog().getByText('5, 3, 2').waitFor();
  await accessibleEverywhere(page, 'admin-models-try');
  await dialog().getByRole('button', { name: 'Close' }).first().click();

  const change = async (name) => {
    await version.getByRole('button', { name: 'Actions for version 1 of greet' }).click();
    await page.getByRole('menuitem', { name, exact: true }).click();
    await dialog().getByRole('button', { name }).click();
  };
  await change('Unload');
  await version.getByText('unloaded', { exact: true }).first().waitFor();
  await model.getByText('No version answers').waitFor();
  await change('Load');
  await version.getByText('ready', { exact: true }).first().waitFor({ timeout: 120_000 });
  await at(page, 'audit');
  await logged('model:greet');
});

chapter('somebody else administers, and then no longer', async () => {
  await fresh();
  await account('Bob Jones');
  await page.getByRole('button', { name: 'Make administrator' }).click();
  await dialog().getByRole('button', { name: 'Make administrator' }).click();
  await page.getByRole('button', { name: 'Remove administrator' }).waitFor();
  await signIn(bob, 'bob', 'a second song, about snow and stars');
  await bob.getByRole('heading', { name: /^Welcome/ }).waitFor();
  await at(bob, 'users');
  await row('Cy Brown', bob).getByRole('link').click();
  await bob.getByRole('button', { name: 'Delete account' }).click();
  await dialog(bob).getByLabel('Type cy to confirm').fill('cy');
  await dialog(bob).getByRole('button', { name: 'Delete account' }).click();
  await bob.getByRole('heading', { name: 'Accounts' }).waitFor();
  await page.getByRole('button', { name: 'Remove administrator' }).click();
  await dialog().getByRole('button', { name: 'Remove administrator' }).click();
  await page.getByRole('button', { name: 'Make administrator' }).waitFor();
  // Nobody takes the last one away.
  await account('Ada Root');
  await page.getByText('This is your account').waitFor();
  await page.getByRole('button', { name: 'Disable' }).click();
  await dialog().getByRole('button', { name: 'Disable' }).click();
  await dialog()
    .getByText(/last administrator/)
    .waitFor();
  await dialog().getByRole('button', { name: 'Cancel' }).click();
});

chapter('a device gets a key, another one, and none any more', async () => {
  await page.goto(`${server.url}/settings/devices`);
  await page.getByText('No devices yet').waitFor();
  await page.getByLabel('Device name').fill('Kitchen thermometer');
  await page.getByRole('button', { name: 'Register' }).click();
  const field = page.getByLabel('Key for Kitchen thermometer');
  const key = await field.inputValue();
  assert.match(key, /^dk_/);
  await page.getByRole('button', { name: 'Copy' }).click();
  await becomes(() => page.evaluate(() => navigator.clipboard.readText()), key);
  const opens = (k) =>
    page.evaluate(
      ([k]) =>
        new Promise((done) => {
          const ws = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`, ['device', k]);
          ws.onmessage = () => (done(true), ws.close());
          ws.onclose = () => done(false);
        }),
      [k],
    );
  assert.ok(await opens(key), 'it connects');
  await page.getByRole('button', { name: 'Actions for Kitchen thermometer' }).click();
  await page.getByRole('menuitem', { name: 'New key, keep the old one for a day' }).click();
  await page.getByRole('list', { name: 'Keys' }).waitFor();
  await becomes(async () => (await field.inputValue()) === key, false, 'it is another key');
  const second = await field.inputValue();
  assert.ok((await opens(key)) && (await opens(second)), 'both connect');
  await accessibleEverywhere(page, 'devices');
  await page.getByRole('list', { name: 'Keys' }).getByRole('button', { name: 'Revoke' }).last().click();
  await page.getByRole('list', { name: 'Keys' }).waitFor({ state: 'detached' });
  assert.ok(!(await opens(key)), 'the old key is refused');
  await page.getByRole('button', { name: 'Actions for Kitchen thermometer' }).click();
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.getByLabel('Device name').last().fill('Oven');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Actions for Oven' }).click();
  await page.getByRole('menuitem', { name: 'Revoke', exact: true }).click();
  await dialog().getByRole('button', { name: 'Revoke' }).click();
  await row('Oven').getByText('revoked').waitFor();
  assert.ok(!(await opens(second)), 'a revoked device is refused');
  await page.reload();
  await row('Oven').waitFor();
  await becomes(() => page.getByLabel(/^Key for/).count(), 0, 'a key is shown once');
  assert.equal(page.broken, undefined);
  assert.equal(bob.broken, undefined);
});
