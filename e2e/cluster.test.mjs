// A cluster in the browser: two servers on one database, behind one address, are
// stopped in turn while two people talk. Both come back on the other server by
// themselves, and see every message once, in one order, and never with a hole.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { becomes, composer, launch, line, shot, signUp, visitor } from './people.mjs';
import { freePort, Server } from './server.mjs';

const drainDelay = 2_000;
const drain = 4_000; // of two sockets one is closed at once, the other after half of it
const names = ['ann', 'bob'];
const people = {};
const nodes = [];
let missing, failed, backends, balancer, url, browser, room;

/** PostgreSQL and NATS, which end when their input does. */
async function startBackends() {
  backends = spawn('go', ['run', './e2e/backends'], {
    cwd: new URL('..', import.meta.url).pathname,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = await Promise.race([
    once(createInterface({ input: backends.stdout }), 'line'),
    once(backends, 'exit'),
  ]);
  assert.equal(typeof said, 'string', 'neither PostgreSQL nor NATS');
  return JSON.parse(said);
}

/** What the balancer asks: 200, 503, or undefined where nobody answers. */
const readiness = (node) =>
  fetch(`http://127.0.0.1:${node.port}/ready`).then(
    (answer) => answer.status,
    () => undefined,
  );

/** Passes each new connection on to the first server that says it is ready. */
async function balance(socket) {
  socket.on('error', () => {});
  for (const node of nodes) {
    if ((await readiness(node)) !== 200) continue;
    const on = connect({ port: node.port, host: '127.0.0.1', allowHalfOpen: true });
    pipeline(socket, on, socket, () => {});
    return;
  }
  socket.destroy();
}

/** Remembers the page's sockets, and looks at what it shows after each change. It begins anew with the page: what it has seen tells that there was no reload. */
function watch() {
  globalThis.sockets = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      const s = {};
      sockets.push(s);
      this.addEventListener('open', () => (s.opened = Date.now()));
      this.addEventListener('close', (e) => Object.assign(s, { closed: Date.now(), code: e.code, reason: e.reason }));
    }
  };
  globalThis.wrong = new Set(); // holes and doubles
  globalThis.told = new Set(); // what notices said
  globalThis.newest = { ann: -1, bob: -1 }; // message of each that was shown
  let looks = false;
  const look = () => {
    looks = false;
    const last = {};
    for (const a of document.querySelectorAll('[role=log] article')) {
      for (const [, who, n] of a.textContent.matchAll(/\b(ann|bob) says (\d+)\./g)) {
        if (last[who] !== undefined && Number(n) !== last[who] + 1) wrong.add(`${who}: ${n} after ${last[who]}`);
        last[who] = Number(n);
        newest[who] = Math.max(newest[who], Number(n));
      }
    }
    for (const el of document.querySelectorAll('[role=status], [role=alert]'))
      if (el.textContent.trim()) told.add(el.textContent.trim());
  };
  new MutationObserver(() => {
    if (!looks) requestAnimationFrame(look);
    looks = true;
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

before(async () => {
  const shared = await startBackends();
  missing = shared.missing;
  if (missing) return;
  balancer = createServer({ allowHalfOpen: true }, balance).listen(0, '127.0.0.1');
  await once(balancer, 'listening');
  url = `http://localhost:${balancer.address().port}`;
  for (let i = 0; i < 2; i++) {
    const operator = `127.0.0.1:${await freePort()}`;
    const node = new Server({
      DATABASE_URL: shared.database,
      NATS_URL: shared.nats,
      UNHIDRA_SERVER_KEY: 'the same key for both servers of a test',
      UNHIDRA_PUBLIC_URL: url,
      UNHIDRA_OPERATOR_ADDR: operator,
      UNHIDRA_DRAIN_DELAY: `${drainDelay}ms`,
      UNHIDRA_DRAIN: `${drain}ms`,
      UNHIDRA_CAPTCHA: 'off',
    });
    node.operator = operator;
    nodes.push(node);
    await node.start();
  }
  browser = await launch();
  for (const [name, viewport] of Object.entries({
    ann: { width: 1440, height: 900 },
    bob: { width: 390, height: 844 },
  })) {
    people[name] = await visitor(browser, { viewport });
    await people[name].addInitScript(watch);
  }
});

after(async () => {
  await browser?.close();
  for (const node of nodes) await node.close();
  balancer?.close();
  if (backends?.exitCode !== null) return;
  backends.stdin.end();
  await once(backends, 'exit');
});

/** One chapter. If it fails, what both people see is kept and printed. */
function story(name, fn) {
  test(name, async (t) => {
    if (missing) return t.skip(missing);
    if (failed) return t.skip('a chapter before it failed');
    try {
      await fn();
    } catch (err) {
      failed = true;
      for (const who of names) {
        await shot(people[who], `failed-cluster-${who}`);
        console.log(who, await people[who].locator('body').ariaSnapshot());
      }
      throw err;
    }
  });
}

const each = (fn) => Promise.all(names.map((name) => fn(people[name], name)));

/** Who has a WebSocket on a server. */
async function connected(node) {
  const { gateway } = await (await fetch(`http://${node.operator}/stats`)).json();
  return gateway.list.map((c) => c.username).sort();
}

/** Bob's browser is a phone with half a message in it; what he says in the meantime comes by the API. */
async function post(text) {
  const body = JSON.stringify({ key: text.replaceAll(' ', '-'), text });
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${people.bob.token}` };
  const send = () => fetch(`${url}/api/v1/rooms/${room}/messages`, { method: 'POST', headers, body });
  // A connection that was kept may have been closed just now: the key makes it safe to ask again.
  const answer = await send().catch(send);
  assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`);
}

async function say(text) {
  await composer(people.ann).fill(text);
  await composer(people.ann).press('Enter');
}

const said = { ann: 0, bob: 0 };
const ways = { ann: say, bob: post };

/** Has both write a few messages a second, as people at most do, for as long as fn runs. */
function whileTheyTalk(fn) {
  let on = true;
  const end = () => (on = false);
  const talk = async () => {
    while (on) {
      await each((_, name) => ways[name](`${name} says ${said[name]++}.`));
      await pause(200);
    }
  };
  return Promise.all([fn().finally(end), talk().finally(end)]);
}

/** Waits until a page has shown a message. By then it may have scrolled out of sight. */
const sees = (page, who, n) => page.waitForFunction(([who, n]) => newest[who] >= n, [who, n]);

/** Stops one server while both talk, and sees them come to the other. */
async function move(from, to, stage) {
  await becomes(() => connected(from), names);
  const had = await people.ann.evaluate(() => sockets.length);
  let off;
  await whileTheyTalk(async () => {
    await each((page) => sees(page, 'ann', said.ann));
    const stopped = from.stop();
    let status;
    do status = await readiness(from);
    while (status === 200);
    off = Date.now();
    assert.equal(status, 503, 'a server that stops still says so');
    await each(async (page, name) => {
      await page.waitForFunction((n) => sockets[n - 1].closed, had);
      await shot(page, `cluster-${stage}-away-${name}`);
      await page.waitForFunction((n) => sockets[n]?.opened, had);
    });
    assert.equal(await stopped, 0);
    await becomes(() => connected(to), names);
  });
  await each(async (page, name) => {
    for (const who of names) await sees(page, who, said[who] - 1);
    await page.getByRole('log').getByText('Sending').first().waitFor({ state: 'detached' });
    await shot(page, `cluster-${stage}-back-${name}`);
  });

  const gone = await each(async (page, name) => {
    const sockets = await page.evaluate(() => globalThis.sockets);
    assert.equal(sockets.length, had + 1, `${name} was reloaded, or had to try more than once`);
    const [old, next] = sockets.slice(-2);
    assert.equal(old.code, 1012);
    assert.ok(old.closed > off, 'a socket was closed before the readiness went off');
    assert.match(old.reason, /^\d+$/);
    const away = next.opened - old.closed;
    assert.ok(away >= Number(old.reason) * 1000, `${name} was told to wait ${old.reason} s and came after ${away} ms`);
    assert.equal(next.closed, undefined);
    console.log(`# ${name} was away for ${away} ms`);
    return old.closed;
  });
  const apart = Math.abs(gone[0] - gone[1]);
  assert.ok(apart > drain / 4, `the sockets were closed ${apart} ms after each other, not spread`);
}

/** Every message stands once on both pages, in one order, and nothing else is told. */
async function whole() {
  const sizes = await each((page) => page.viewportSize());
  const shown = await each(async (page, name) => {
    await page.setViewportSize({ ...page.viewportSize(), height: 30_000 }); // so that all is rendered
    for (const who of names) await line(page, `${who} says 0.`).waitFor();
    assert.deepEqual(await page.evaluate(() => [...wrong]), [], `${name} saw a hole or a double`);
    const lines = async () => {
      const texts = await page.getByRole('log').getByRole('article').allInnerTexts();
      return texts.flatMap((t) => t.match(/\b(ann|bob) says \d+\./g) ?? []);
    };
    await becomes(async () => (await lines()).length, said.ann + said.bob, `what ${name} sees`);
    return lines();
  });
  await each((page, name) => page.setViewportSize(sizes[names.indexOf(name)]));
  assert.deepEqual(shown[0], shown[1], 'both see one order');
  for (const name of names) {
    const own = shown[0].filter((text) => text.startsWith(name));
    assert.deepEqual(
      own,
      Array.from({ length: said[name] }, (_, i) => `${name} says ${i}.`),
      `what ${name} said`,
    );
  }
  await each(async (page, name) => {
    console.log(`# ${name} was told: ${JSON.stringify(await page.evaluate(() => [...told]))}`);
    const left = async () =>
      (await page.getByRole('status').or(page.getByRole('alert')).allInnerTexts()).filter((t) => t.trim());
    await becomes(left, [], `${name} still sees a notice`);
  });
}

story('two people meet on the first server', async () => {
  const { ann, bob } = people;
  await ann.goto(nodes[0].setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator account');
  await ann.getByRole('button', { name: 'Create room' }).click();
  await ann.getByRole('dialog').getByLabel('Name').fill('Workshop');
  await ann.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await composer(ann).waitFor();
  room = new URL(ann.url()).pathname.split('/')[2];

  await bob.goto(url);
  await bob.getByRole('heading', { name: /sign in/i }).waitFor();
  const signed = bob.waitForResponse((r) => r.url().endsWith('/auth/register') && r.ok());
  await bob
    .getByRole('link', { name: /create|account|sign up/i })
    .first()
    .click();
  await signUp(bob, 'bob', 'Bob Jones', /create account|sign up/i);
  bob.token = (await (await signed).json()).access_token;
  await bob.getByRole('navigation').first().waitFor();
  await bob.goto(`${url}/rooms/${room}`);
  await bob.getByRole('button', { name: /join/i }).click();
  await composer(bob).fill('half a thought');
});

story('the first server stops while they talk: they go on at the second', async () => {
  await move(nodes[0], nodes[1], 'first');
  await whole();
});

story('a draft is as it was, and that it is being written is seen', async () => {
  const { ann, bob } = people;
  await composer(bob).press('End');
  await composer(bob).pressSequentially(' and more');
  await ann.getByText(/Bob Jones is typing/).waitFor();
  await becomes(() => composer(bob).inputValue(), 'half a thought and more');
});

story('the first server is back and the second stops: they return', async () => {
  await nodes[0].start();
  await move(nodes[1], nodes[0], 'second');
  await whole();
  await becomes(() => composer(people.bob).inputValue(), 'half a thought and more');
});

test('no page threw', (t) => {
  if (missing) return t.skip(missing);
  for (const name of names) assert.equal(people[name].broken, undefined);
});
