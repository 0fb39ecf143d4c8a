// Signing in by an OpenID provider, in a real browser: there, and back again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, shot, visitor } from './people.mjs';
import { Provider } from './provider.mjs';
import { Server } from './server.mjs';

const server = new Server();
const provider = new Provider();
let browser;

before(async () => {
  server.set(await provider.start(await server.reserve()));
  await server.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server.close();
  provider.close();
});

/** Goes to the provider and signs in there, as one of its people. */
async function signIn(page, name) {
  await page.goto(`${server.url}/sign-in`);
  await page.getByRole('button', { name: 'Sign in with Example' }).click();
  await page.waitForURL((url) => url.port !== String(server.port));
  await page.locator('input[name=username]').fill(name);
  await page.locator('input[name=password]').fill('verysecure');
  await page.locator('button[type=submit]').click();
}

test('somebody new gets an account, and the same one again', async () => {
  const page = await visitor(browser);
  try {
    await signIn(page, 'ann');
    await page.getByRole('heading', { name: 'Welcome, Ann Smith' }).waitFor();
    assert.ok(!/code=|state=/.test(page.url()), 'what the provider sent leaves the address bar');
    await shot(page, 'provider');
    const again = await visitor(browser);
    await signIn(again, 'ann');
    await again.getByRole('heading', { name: 'Welcome, Ann Smith' }).waitFor();
    await again.goto(`${server.url}/settings/account`);
    await again.getByText('@ann', { exact: true }).waitFor();
    await again.context().close();
    assert.equal(page.broken, undefined);
  } catch (err) {
    await shot(page, 'failed-provider');
    console.log(page.url(), await page.locator('body').ariaSnapshot());
    throw err;
  }
});

test('what another browser began is refused', async () => {
  const page = await visitor(browser);
  await page.goto(`${server.url}/signed-in?code=stolen&state=stolen`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.locator('.note').first().waitFor(); // and says why
  assert.ok(!/stolen/.test(page.url()));
  await page.context().close();
});
