// A long history in the browser: what is in the page stays small, nothing moves
// under the reader, opening a room costs little beside a bare page, and who was
// away finds the first message that they missed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { becomes, composer, launch, line, password, shot, signUp, visitor } from './people.mjs';
import { Server } from './server.mjs';

const server = new Server({ RATE_LIMIT_MESSAGES_PER_SEC: '1000', UNHIDRA_CAPTCHA: 'off' });
const sizes = { Small: 10_000, Large: 100_000 };
const rooms = {};
let browser;
let page;

before(async () => {
  await server.start();
  browser = await launch();
  page = await visitor(browser, { reducedMotion: 'reduce' });
  let me;
  page.on('response', async (r) => {
    if (r.url().endsWith('/auth/register')) me = r.json();
  });
  await page.goto(server.setupLink);
  await signUp(page, 'ann', 'Ann Smith', 'Create administrator account');
  for (const name of Object.keys(sizes)) {
    await page.getByRole('button', { name: 'Add a room' }).click();
    await page.getByRole('menuitem', { name: 'Create room' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill(name);
    await page.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
    await page.getByRole('main', { name }).waitFor();
    await composer(page).waitFor();
    rooms[name] = new URL(page.url()).pathname.split('/')[2];
  }
  await server.kill();
  for (const [name, n] of Object.entries(sizes)) server.seed(rooms[name], (await me).me.id, n);
  await server.start();
});

after(async () => {
  await browser?.close();
  await server.close();
});

const messages = (where) => where.getByRole('log').getByRole('article');

/**
 * Scrolls by steps; after each, watches a line in the middle for some frames. Returns the most nodes there were, how
 * far a line moved by itself, and how many lines were rendered anew while they were watched.
 */
const scroll = (where, steps, by) =>
  where.evaluate(
    async ([steps, by]) => {
      const box = document.querySelector('[role=log]');
      // After the frame is painted: what is seen, not what the page is still working out.
      const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      let most = 0;
      let jump = 0;
      let again = 0;
      const numbers = new Set();
      for (let i = 0; i < steps; i++) {
        box.scrollBy(0, by);
        await frame();
        await frame();
        const { top, height } = box.getBoundingClientRect();
        const lines = [...box.querySelectorAll('[data-line]')];
        const line = lines.find((l) => l.getBoundingClientRect().bottom > top + height / 2);
        for (const a of box.querySelectorAll('article')) numbers.add(a.textContent.match(/entry (\d+)/)?.[1]);
        const key = line?.dataset.line;
        const was = line?.getBoundingClientRect().top;
        for (let n = 0; n < 8; n++) {
          await frame();
          most = Math.max(most, document.querySelectorAll('*').length);
          const now = key && box.querySelector(`[data-line="${CSS.escape(key)}"]`)?.getBoundingClientRect().top;
          jump = Math.max(jump, now === undefined ? Infinity : Math.abs(now - was));
        }
        if (line && !line.isConnected) again++;
      }
      return { most, jump, again, seen: numbers.size };
    },
    [steps, by],
  );

test('a hundred thousand messages scroll: few nodes, and nothing moves under the reader', async () => {
  await page.goto(`${server.url}/rooms/${rooms.Large}`);
  await messages(page).first().waitFor();
  for (const by of [-900, 900]) {
    await page.getByRole('log').hover();
    await page.mouse.wheel(0, Math.sign(by));
    const got = await scroll(page, 60, by);
    console.log(`# by ${by}: ${JSON.stringify(got)}`);
    assert.ok(got.seen > 100, `only ${got.seen} messages came by`);
    assert.ok(got.most < 3000, `${got.most} nodes in the page`);
    // A line that opens or closes a group of messages grows by its name; more than that must never show.
    assert.ok(got.jump <= 40, `a line moved by ${got.jump} pixels`);
    assert.equal(got.again, 0, 'lines in sight were rendered anew');
  }
  await shot(page, 'history');
});

/** The processor time of the page's thread while fn runs, in seconds. What other processes do is not in it. */
async function work(cdp, where, fn) {
  const spent = async () =>
    (await cdp.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration').value;
  const begin = await spent();
  await fn();
  await where.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  return (await spent()) - begin;
}

test('opening a long room on a slow machine costs little more than its bare page', async () => {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const least = { Small: Infinity, Large: Infinity, bare: Infinity };
  for (let round = 0; round < 3; round++) {
    await page.goto(`${server.url}/`);
    await page.getByRole('navigation').getByRole('link', { name: 'Small' }).waitFor();
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    const spent = {};
    for (const name of Object.keys(sizes)) {
      spent[name] = await work(cdp, page, async () => {
        await page.getByRole('navigation').getByRole('link', { name }).click();
        await page.getByRole('main', { name }).waitFor();
        await messages(page).last().waitFor();
      });
    }
    // The bare page: the same screen again, as nothing but markup.
    spent.bare = await work(cdp, page, () =>
      page.evaluate(() => {
        const markup = document.body.innerHTML;
        document.body.innerHTML = '';
        document.body.innerHTML = markup;
      }),
    );
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: 1 });
    console.log('#', JSON.stringify(spent));
    for (const [what, seconds] of Object.entries(spent)) least[what] = Math.min(least[what], seconds);
  }
  const { Small, Large, bare } = least;
  assert.ok(Small < 10 * bare, `a room of 10,000: ${Small / bare} times the bare page`);
  assert.ok(Large < 2 * Small, `a room ten times as long costs ${Large / Small} times as much`);
});

test('who was away goes to the first message that they missed, however far above', async () => {
  const call = async (path, body, token) => {
    const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
    const answer = await fetch(`${server.url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.json();
  };
  await page.goto(`${server.url}/`);
  await page.getByRole('navigation').getByRole('link', { name: 'Small' }).waitFor();
  const bob = await call('/auth/register', { username: 'bob', display_name: 'Bob Jones', password });
  await call(`/rooms/${rooms.Small}/join`, {}, bob.access_token);
  for (let i = 0; i < 120; i++)
    await call(`/rooms/${rooms.Small}/messages`, { key: `missed-${i}`, text: `missed ${i}` }, bob.access_token);
  await page
    .getByRole('navigation')
    .getByRole('link', { name: /Small.*120 unread/ })
    .click();
  await line(page, 'missed 119').waitFor();
  await becomes(
    () => page.getByRole('log').getByText('New', { exact: true }).count(),
    0,
    'the line of the first unread message stands where it does not belong',
  );
  await page.getByRole('button', { name: '120 new messages above' }).click();
  await line(page, 'missed 0').waitFor();
  await page.getByRole('log').getByText('New', { exact: true }).waitFor();
  await page.getByRole('button', { name: '120 new messages above' }).waitFor({ state: 'detached' });
  await shot(page, 'first-unread');
  await page.getByRole('button', { name: 'Jump to latest' }).click();
  await line(page, 'missed 119').waitFor();
});

test('no page threw', () => assert.equal(page.broken, undefined));
