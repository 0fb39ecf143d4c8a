// Who somebody is, in a real browser with a real mail server: a mail proves an
// address, an app and a passkey stand beside the passphrase, and sessions end.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { Mailbox } from './mailbox.mjs';
import { becomes, launch, password, shot, visitor } from './people.mjs';
import { Server } from './server.mjs';

const mailbox = new Mailbox();
let server;
let browser;
let page;
let secret;
let recovery;
let current = password;

before(async () => {
  await mailbox.open();
  server = new Server({
    UNHIDRA_SMTP_URL: mailbox.url,
    UNHIDRA_MAIL_FROM: 'Unhidra <chat@example.org>',
    RATE_LIMIT_LOGIN_PER_MINUTE: '1000',
    RATE_LIMIT_LOGIN_BURST: '1000',
  });
  await server.start();
  browser = await launch();
  page = await visitor(browser);
});

after(async () => {
  await browser?.close();
  await server?.close();
  mailbox.close();
});

function chapter(name, fn) {
  test(name, async () => {
    try {
      await fn();
    } catch (err) {
      await shot(page, 'failed-identity');
      console.log(page.url(), await page.locator('body').ariaSnapshot());
      throw err;
    }
  });
}

/** The code of an authenticator app (RFC 6238), now or some steps from now. */
function code(step = 0) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + step));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

const welcome = (p = page) => p.getByRole('heading', { name: /^Welcome/ }).waitFor();

async function fillSignIn(p, name, pass = current) {
  await p.goto(`${server.url}/sign-in`);
  await p.getByLabel('Username or e-mail').fill(name);
  await p.getByRole('textbox', { name: 'Passphrase' }).fill(pass);
  await p.getByRole('button', { name: 'Sign in', exact: true }).click();
}

async function signOut(p = page) {
  await p.goto(`${server.url}/settings/account`);
  await p.getByRole('button', { name: 'Sign out' }).click();
  await p.getByRole('heading', { name: 'Sign in' }).waitFor();
}

async function confirm(answer) {
  const dialog = page.getByRole('dialog', { name: 'Confirm it’s you' });
  await dialog.getByRole('textbox', { name: 'Passphrase' }).fill(current);
  if (answer) await dialog.getByLabel(/^Code from your/).fill(answer);
  await dialog.getByRole('button', { name: 'Confirm' }).click();
  await dialog.waitFor({ state: 'detached' });
}

chapter('a mail proves the address', async () => {
  await page.goto(`${server.url}/sign-up`);
  await page.getByLabel('Name', { exact: true }).fill('Ann Smith');
  await page.getByLabel('Username').fill('ann');
  await page.getByLabel('E-mail').fill('ann@example.org');
  await page.getByRole('textbox', { name: 'Passphrase' }).fill(password);
  // The server asks for a proof of work, and takes the form with one.
  const tries = [];
  page.on('request', (r) => r.url().endsWith('/auth/register') && tries.push(r.postDataJSON()));
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('heading', { name: 'Check your mail' }).waitFor();
  assert.equal(tries.length, 2);
  assert.ok(!tries[0].captcha && tries[1].captcha, 'the CAPTCHA is solved by the browser');
  await shot(page, 'mail-sent');
  const { link } = await mailbox.take('ann@example.org', /./);
  await page.goto(link);
  await page.waitForURL((url) => !url.href.includes('token')); // the secret leaves the address bar
  await shot(page, 'mail-link');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('Your address is confirmed').waitFor();
  await fillSignIn(page, 'ann');
  await welcome();
});

chapter('a summary by mail is chosen, and a link that is not complete ends none', async () => {
  await page.goto(`${server.url}/settings/notifications`);
  const part = page.getByRole('region', { name: 'Summary by mail' });
  await part.getByLabel('How often').selectOption('Every week');
  await part.getByRole('combobox', { name: 'On', exact: true }).selectOption('Fri');
  await part.getByLabel('At', { exact: true }).fill('07:30');
  await part.getByText('Saved', { exact: true }).waitFor();
  await part.getByText(/^The next one: .*7:30/).waitFor();
  await page.reload();
  await becomes(() => part.getByLabel('How often').inputValue(), 'week');
  await becomes(() => part.getByLabel('At', { exact: true }).inputValue(), '07:30');
  await part.scrollIntoViewIfNeeded();
  await shot(page, 'digest');
  await page.goto(`${server.url}/unsubscribe#token=usr_1.x`);
  await page.getByRole('button', { name: 'Stop these mails' }).click();
  await page.getByRole('alert').getByText(/./).waitFor();
  await shot(page, 'digest-link');
  await page.goto(server.url);
  await welcome();
});

chapter('an authenticator app and recovery codes', async () => {
  await page.goto(`${server.url}/settings/security`);
  await page.getByLabel('E-mail').waitFor(); // there is a mail server
  const app = page.getByRole('listitem').filter({ hasText: 'Authenticator app' });
  await app.getByRole('button', { name: 'Add' }).click();
  await page.getByRole('img', { name: /QR code/ }).waitFor();
  secret = (await page.locator('code').first().innerText()).replace(/\s/g, '');
  await shot(page, 'security-app');
  await page.getByLabel('Code from your authenticator app').fill(code());
  await page.getByRole('button', { name: 'Turn on' }).click();
  await page.getByText('You won’t see them again').waitFor();
  recovery = (await page.locator('ul code').allInnerTexts()).map((c) => c.trim());
  assert.equal(recovery.length, 10);
  await shot(page, 'security-codes');
  await page.getByRole('button', { name: 'I’ve saved them' }).click();
  await page.getByText('10 left').waitFor();
  await mailbox.take('ann@example.org', /factor/i);
});

chapter('the sign-in asks for the app, and remembers this browser', async () => {
  await signOut();
  await fillSignIn(page, 'ann');
  await page.getByRole('heading', { name: 'One more step' }).waitFor();
  await shot(page, 'factor');
  await page.getByLabel('Code from your authenticator app').fill('000000');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('This code is wrong').waitFor();
  await page.getByLabel('Code from your authenticator app').fill(code(1)); // the one before was used
  await page.getByLabel('Don’t ask again on this browser').check();
  await page.getByRole('button', { name: 'Continue' }).click();
  await welcome();
  await signOut();
  await fillSignIn(page, 'ann');
  await welcome(); // not asked
});

chapter('a recovery code signs in elsewhere, and that session is ended from here', async () => {
  const other = await visitor(browser, { viewport: { width: 390, height: 844 } });
  await fillSignIn(other, 'ann');
  await other.getByRole('button', { name: 'Use a recovery code' }).click();
  await other.getByLabel('Recovery code').fill(recovery[0].toLowerCase());
  await shot(other, 'factor-phone');
  await other.getByRole('button', { name: 'Continue' }).click();
  await other.getByRole('heading', { name: 'Rooms', exact: true }).waitFor();
  await page.goto(`${server.url}/settings/security`);
  const theirs = page.getByRole('listitem').filter({ hasText: 'last active' }).first();
  await theirs.getByRole('button', { name: 'Sign out' }).click();
  await other.getByText('You were signed out').waitFor(); // how soon its socket closes is held in Go
  await shot(other, 'expired');
  await other.context().close();
});

chapter('a passkey, alone and to confirm', async () => {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  await page.goto(`${server.url}/settings/security`);
  const passkey = page.getByRole('listitem').filter({ hasText: 'Sign in with your fingerprint' });
  await passkey.getByRole('button', { name: 'Add' }).click();
  await page.getByLabel('Name of the passkey').fill('My laptop');
  await page.getByLabel('Name of the passkey').press('Enter');
  // This session was begun without a second factor shown: it is asked.
  const dialog = page.getByRole('dialog', { name: 'Confirm it’s you' });
  const mine = page.getByText('My laptop');
  await dialog.or(mine).first().waitFor();
  if (await dialog.isVisible()) await confirm(recovery[1]);
  await mine.waitFor();
  await shot(page, 'security');
  await signOut();
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByRole('heading', { name: 'Settings' }).waitFor(); // goes on where it was
});

chapter('a new passphrase ends what was', async () => {
  await page.goto(`${server.url}/settings/security`);
  const next = 'another song, about snow';
  await page.getByRole('textbox', { name: 'Current passphrase' }).fill(current);
  await page.getByRole('textbox', { name: 'New passphrase' }).fill(next);
  await page.getByRole('button', { name: 'Change passphrase' }).click();
  await page.getByText('Passphrase changed').waitFor();
  current = next;
  await mailbox.take('ann@example.org', /passphrase|password/i);
  await page.reload();
  await page.getByRole('heading', { name: 'Security' }).waitFor(); // still signed in
});

chapter('a forgotten passphrase', async () => {
  await signOut();
  await page.getByRole('link', { name: 'Forgot your passphrase?' }).click();
  await page.getByLabel('Username or e-mail').fill('ann');
  await page.getByRole('button', { name: 'Send link' }).click();
  await page.getByText('we’ve sent it a link').waitFor();
  const { link } = await mailbox.take('ann@example.org', /new pass|reset|choose/i);
  await page.goto(link);
  current = 'a third song, about the sea';
  await page.getByRole('textbox', { name: 'Passphrase' }).fill(current);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Your new passphrase is saved').waitFor();
  await fillSignIn(page, 'ann');
  await page.getByRole('heading', { name: 'One more step' }).waitFor(); // a reset skips no factor
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await welcome();
});

chapter('a passkey gets another name, and is revoked', async () => {
  await page.goto(`${server.url}/settings/security`);
  await page.getByRole('button', { name: 'Rename My laptop' }).click();
  await page.getByLabel('Name of the passkey').fill('The old laptop');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Remove The old laptop' }).click();
  const dialog = page.getByRole('dialog', { name: 'Confirm it’s you' });
  const left = page.getByText('The old laptop');
  await dialog.or(page.getByText('Sign in with your fingerprint')).first().waitFor();
  if (await dialog.isVisible()) await confirm(recovery[2]);
  await left.waitFor({ state: 'detached' });
  await signOut();
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByRole('alert').getByRole('paragraph').waitFor(); // the browser has it yet; the server does not know it any more
  await fillSignIn(page, 'ann');
  await page.getByRole('button', { name: 'Use a recovery code' }).click();
  await page.getByLabel('Recovery code').fill(recovery[3]);
  await page.getByRole('button', { name: 'Continue' }).click();
  await welcome();
});

chapter('a lock, and the link that ends it', async () => {
  const stranger = await visitor(browser);
  for (let i = 0; i < 5; i++) {
    await fillSignIn(stranger, 'ann', `a wrong guess, number ${i}`);
    await stranger.getByText('Wrong username or passphrase').waitFor();
  }
  await fillSignIn(stranger, 'ann');
  await stranger.getByText('Too many failed attempts').waitFor();
  await shot(stranger, 'locked');
  const { link } = await mailbox.take('ann@example.org', /too many/i);
  await stranger.goto(link);
  await stranger.getByRole('button', { name: 'Unlock' }).click();
  await stranger.getByText('You can now sign in from this browser').waitFor();
  await fillSignIn(stranger, 'ann');
  await stranger.getByRole('heading', { name: 'One more step' }).waitFor();
  await stranger.context().close();
});

chapter('the pages are accessible, in both themes, and on a phone', async () => {
  for (const path of ['profile', 'status', 'notifications', 'appearance', 'account', 'security']) {
    await page.goto(`${server.url}/settings/${path}`);
    await page.getByRole('heading', { level: 2 }).first().waitFor();
    await accessibleEverywhere(page, `settings-${path}`);
  }
  const visits = await visitor(browser);
  for (const path of ['sign-in', 'sign-up', 'forgot']) {
    await visits.goto(`${server.url}/${path}`);
    await visits.getByRole('heading').first().waitFor();
    await accessibleEverywhere(visits, path);
  }
  await visits.context().close();
  assert.equal(page.broken, undefined);
});
