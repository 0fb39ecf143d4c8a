// What the web client costs: how busy the main thread is while 50 messages a second
// arrive, how long a key takes to be seen, and how many rows of long lists are in the
// document. Figures of time are also told as ratios to an idle page of the same
// browser. Run it beside a built server: node e2e/weight.mjs [seconds]
import { launch, password, signUp, visitor, composer } from './people.mjs';
import { Server } from './server.mjs';

const seconds = Number(process.argv[2] ?? 10);
const rate = 50;
const longText =
  'The quick *brown* fox `jumps` over **the** lazy dog, see https://example.org/a_(b) and say so. '.repeat(30);

const server = new Server({
  UNHIDRA_PASSWORD: password,
  RATE_LIMIT_MESSAGES_PER_SEC: '1000',
  RATE_LIMIT_USER_PER_MINUTE: '1000000',
});
await server.start();
const browser = await launch();

/** Calls the API as somebody. */
async function call(token, method, path, body) {
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    body: body && JSON.stringify(body),
  });
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`);
  return json;
}

/** The share of time that a page's main thread is busy, and the 95th percentile of its keys in milliseconds. */
async function weigh(page, work) {
  const cdp = await page.context().newCDPSession(page);
  // Time of the processor: what else the machine does is not counted.
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const read = async () =>
    Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map((m) => [m.name, m.value]));
  const from = await page.evaluate(() => {
    if (!globalThis.keys) {
      globalThis.keys = [];
      new PerformanceObserver((list) => {
        for (const e of list.getEntries()) if (e.name === 'keydown') globalThis.keys.push([e.startTime, e.duration]);
      }).observe({ type: 'event', durationThreshold: 16 });
    }
    return performance.now();
  });
  const began = performance.now();
  const before = await read();
  const typed = await work();
  const after = await read();
  const slow = await page.evaluate(
    (since) =>
      globalThis.keys
        .filter(([at]) => at >= since)
        .map(([, took]) => took)
        .sort((a, b) => b - a),
    from,
  );
  // Keys faster than 16 ms are not reported.
  return {
    busy: ((after.TaskDuration - before.TaskDuration) * 1000) / (performance.now() - began),
    p95: slow[Math.floor(typed * 0.05)] ?? 16,
  };
}

/** Types for a while, five keys a second. */
async function type(page) {
  let keys = 0;
  for (const end = Date.now() + seconds * 1000; Date.now() < end; keys++) {
    await page.keyboard.press(keys % 8 === 7 ? 'Space' : 'a');
    await new Promise((done) => setTimeout(done, 200));
  }
  return keys;
}

/** Sends messages at the rate until it is told to stop. */
function talk(token, room, text) {
  let n = 0;
  const timer = setInterval(() => {
    void call(token, 'POST', `/rooms/${room}/messages`, { key: `${Date.now()}-${n++}`, text: `${text} ${n}` }).catch(
      (err) => console.error(String(err)),
    );
  }, 1000 / rate);
  return () => (clearInterval(timer), n / seconds);
}

try {
  const ann = await visitor(browser);
  await ann.goto(server.setupLink);
  await signUp(ann, 'ann', 'Ann Smith', 'Create administrator');
  await ann.getByRole('heading', { name: /^Welcome/ }).waitFor();
  server.command('user', 'create', 'bob');
  const bob = await call('', 'POST', '/auth/sign-in', { login: 'bob', password });
  const room = await call(bob.access_token, 'POST', '/rooms', { kind: 'public', name: 'Hall' });
  await ann.goto(`${server.url}/rooms/${room.id}`);
  await ann.getByRole('button', { name: 'Join' }).click();
  await composer(ann).click();
  await ann.keyboard.type('Hm');
  const idle = await weigh(ann, () => type(ann));
  const told = [{ what: 'idle', ...idle }];
  for (const [what, text] of [
    ['short messages', 'hello'],
    ['long messages', longText],
  ]) {
    const stop = talk(bob.access_token, room.id, text);
    const weight = await weigh(ann, () => type(ann));
    told.push({ what, ...weight, sent: stop() });
  }
  await ann.route('**/members?*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') || 0);
    const items = Array.from({ length: 100 }, (_, i) => ({
      id: `usr_${from + i}`,
      kind: 'user',
      username: `u${from + i}`,
      display_name: `Member ${from + i}`,
      role: 'member',
      joined_at: new Date().toISOString(),
    }));
    return route.fulfill({ json: { items, ...(from < 1900 && { next: String(from + 100) }) } });
  });
  await ann.goto(`${server.url}/rooms/${room.id}?panel=members`);
  await ann.locator('[data-member]').first().waitFor();
  for (let i = 0; i < 60; i++) {
    await ann.evaluate(() => document.querySelector('aside .body').scrollBy(0, 100_000));
    await new Promise((done) => setTimeout(done, 100));
  }
  const rows = await ann.evaluate(() => ({
    rows: document.querySelectorAll('[data-member]').length,
    last: [...document.querySelectorAll('[data-member]')].at(-1)?.textContent.trim().slice(0, 40),
  }));
  for (const t of told)
    console.log({
      ...t,
      busy: Number(t.busy.toFixed(3)),
      'busy to idle': Number((t.busy / idle.busy).toFixed(2)),
      'p95 to idle': Number((t.p95 / idle.p95).toFixed(2)),
    });
  console.log({ what: '2,000 members', ...rows });
} finally {
  await browser.close();
  await server.close();
}
