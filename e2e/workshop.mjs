// What stories of messages begin with: a room that is called Workshop, Ann at a desk and Bob with a phone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, line, password, shotOfFailure, visitor } from './people.mjs';
import { Server } from './server.mjs';

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/**
 * Opens the room before the first story of a file, and closes all after the last.
 *
 * @param lines what is said in the room before, each with who says it
 * @param more arguments of the browser
 * @param settings of the server
 */
export function workshop(lines, more = [], settings = {}) {
  const server = new Server({ UNHIDRA_CAPTCHA: 'off', ...settings });
  const people = {};
  const tokens = {};
  const room = {};
  let browser;

  /** Calls the API as somebody; as nobody if who is empty. */
  async function call(who, method, path, body) {
    const answer = await fetch(`${server.url}/api/v1${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...(tokens[who] && { Authorization: `Bearer ${tokens[who]}` }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  async function register(username, display_name) {
    tokens[username] = (await call('', 'POST', '/auth/register', { username, display_name, password })).access_token;
  }

  async function signIn(page, name) {
    await page.goto(server.url);
    await page.getByLabel('Username or e-mail').fill(name);
    await page.getByRole('textbox', { name: 'Passphrase' }).fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  async function enter(page, name) {
    await signIn(page, name);
    await page.getByRole('link', { name: /Workshop/ }).click();
    await line(page, lines.at(-1)[1]).waitFor();
  }

  before(async () => {
    await server.start();
    browser = await launch(more);
    await register('ann', 'Ann');
    await register('bob', 'Bob');
    Object.assign(room, await call('ann', 'POST', '/rooms', { kind: 'public', name: 'Workshop' }));
    await call('bob', 'POST', `/rooms/${room.id}/join`);
    for (const [i, [who, text]] of lines.entries())
      await call(who, 'POST', `/rooms/${room.id}/messages`, { key: `k${i}`, text });
    people.ann = await visitor(browser);
    people.bob = await visitor(browser, phone);
    for (const who of Object.keys(people)) await enter(people[who], who);
  });

  after(async () => {
    await browser?.close();
    await server.close();
  });

  /** One story. If it fails, what both people see is kept and printed. */
  function story(name, fn) {
    test(name, async () => {
      try {
        await fn(people);
      } catch (err) {
        for (const who of Object.keys(people)) {
          await shotOfFailure(people[who], who);
          console.log(who, await people[who].locator('body').ariaSnapshot());
        }
        throw err;
      }
    });
  }

  /** Another device of somebody, in the same room if inside: a phone like Bob's unless options say otherwise. */
  async function device(who, options = phone, inside = true) {
    const page = await visitor(browser, options);
    people[`${who}-${Object.keys(people).length}`] = page; // a failure shows it, too
    await (inside ? enter : signIn)(page, who);
    return page;
  }

  return { server, room, call, register, story, device };
}

/** So many lines that somebody says. */
export const said = (who, count) => Array.from({ length: count }, (_, i) => [who, `line ${i}`]);
