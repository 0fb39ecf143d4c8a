// A push from the server to the notification on the phone. Chromium has no push service here: the page gets a
// subscription of this file, whose push service is this file too, and what comes is handed to the browser.
import assert from 'node:assert/strict';
import { createDecipheriv, createECDH, hkdfSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';
import { accessibleEverywhere } from './axe.mjs';
import { becomes, composer, line, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const { server, room, call, story } = workshop([['ann', 'hello']]);
server.set({ UNHIDRA_PRIVATE_NETWORKS: '127.0.0.0/8' });

const keys = createECDH('prime256v1');
keys.generateKeys();
const auth = randomBytes(16);
const arrived = [];
const service = createServer(async (req, res) => {
  const parts = [];
  for await (const part of req) parts.push(part);
  arrived.push(Buffer.concat(parts));
  service.emit('push');
  res.writeHead(201).end();
}).listen(0, '127.0.0.1');
await once(service, 'listening');
after(() => service.close());

/** Reads a message as a browser does (RFC 8291). */
function decrypt(body) {
  const salt = body.subarray(0, 16);
  const sender = body.subarray(21, 86);
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), keys.getPublicKey(), sender]);
  const ikm = Buffer.from(hkdfSync('sha256', keys.computeSecret(sender), auth, info, 32));
  const derive = (what, n) => Buffer.from(hkdfSync('sha256', ikm, salt, `Content-Encoding: ${what}\0`, n));
  const gcm = createDecipheriv('aes-128-gcm', derive('aes128gcm', 16), derive('nonce', 12));
  gcm.setAuthTag(body.subarray(-16));
  const record = Buffer.concat([gcm.update(body.subarray(86, -16)), gcm.final()]);
  return record.subarray(0, record.lastIndexOf(2)).toString();
}

async function next() {
  if (arrived.length === 0) await once(service, 'push');
  return decrypt(arrived.shift());
}

/** Gives the page a subscription of this file. */
function standIn({ endpoint, p256dh, auth }) {
  let now = null;
  PushManager.prototype.getSubscription = () => Promise.resolve(now);
  PushManager.prototype.subscribe = (options) => {
    now = {
      options: { applicationServerKey: options.applicationServerKey.buffer },
      toJSON: () => ({ endpoint, keys: { p256dh, auth } }),
      unsubscribe: () => Promise.resolve(((now = null), true)),
    };
    return Promise.resolve(now);
  };
}

/** The notifications that the browser shows. */
const shown = (page) =>
  page.evaluate(async () => {
    const worker = await navigator.serviceWorker.getRegistration();
    const all = (await worker?.getNotifications()) ?? [];
    return all.map((n) => ({ title: n.title, body: n.body, tag: n.tag, path: n.data?.path }));
  });

/** Clicks on an action of what is shown, with what was typed into its box, and waits until that is done. */
const act = (worker, action, reply) =>
  worker.evaluate(
    async ([action, reply]) => {
      const [notification] = await self.registration.getNotifications();
      const click = new NotificationEvent('notificationclick', { action, notification });
      let done;
      Object.defineProperties(click, { reply: { value: reply }, waitUntil: { value: (work) => (done = work) } });
      self.dispatchEvent(click);
      await done;
      const left = await self.registration.getNotifications();
      return left.map((n) => [n.title, n.body, ...n.actions.map((a) => a.title)]);
    },
    [action, reply],
  );

story('who is away is told on the phone, even when no page is open', async ({ bob }) => {
  await bob.context().grantPermissions(['notifications'], { origin: server.url });
  await bob.addInitScript(standIn, {
    endpoint: `http://127.0.0.1:${service.address().port}/bob`,
    p256dh: keys.getPublicKey('base64url'),
    auth: auth.toString('base64url'),
  });
  await bob.goto(`${server.url}/settings/notifications`);
  await bob.getByRole('button', { name: 'Turn on notifications' }).click();
  await bob.getByText(/^This browser tells you .* even when Unhidra is closed/).waitFor();
  const mine = bob.getByRole('list', { name: 'Browsers and apps that get pushes' }).getByRole('listitem');
  await mine.filter({ hasText: /Chrome on .*This browser/ }).waitFor();
  await accessibleEverywhere(bob, 'push-settings');
  await shot(bob, 'phone-push-settings');
  const cdp = await bob.context().newCDPSession(bob);
  const registered = new Promise((done) =>
    cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: [r] }) => r && done(r.registrationId)),
  );
  await cdp.send('ServiceWorker.enable');
  const registrationId = await registered;
  const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors');
  const kept = installabilityErrors.map((e) => e.errorId).filter((id) => id !== 'in-incognito'); // as all contexts are
  assert.deepEqual(kept, []);

  await bob.goto(`${server.url}/manifest.webmanifest`); // no page of the client is open any more
  const { seq } = await call('ann', 'POST', `/rooms/${room.id}/messages`, { key: 'tea', text: '**Tea**, @bob? Größe L' });
  const data = await next();
  await cdp.send('ServiceWorker.deliverPushMessage', { origin: server.url, registrationId, data });
  await bob.goto(`${server.url}/sw.js`);
  let all = [];
  while (all.length === 0) all = await shown(bob);
  assert.deepEqual(all, [
    { title: 'Ann in Workshop', body: 'Tea, @bob? Größe L', tag: room.id, path: `/rooms/${room.id}/${seq}` },
  ]);

  const [worker] = bob.context().serviceWorkers();
  assert.deepEqual(await act(worker, 'reply', 'Large, *please*'), []);
  const said = async () => (await call('ann', 'GET', `/rooms/${room.id}/timeline`)).items.map((e) => e.message?.text);
  assert.equal((await said()).at(-1), 'Large, *please*');
  const { unread, read } = await call('bob', 'GET', `/rooms/${room.id}`);
  assert.equal(unread, 0);
  assert.ok(read >= seq);

  await server.kill();
  await cdp.send('ServiceWorker.deliverPushMessage', { origin: server.url, registrationId, data });
  while ((await shown(bob)).length === 0);
  const unsent = ['Not sent: Workshop', 'And a cup', 'Send again'];
  assert.deepEqual(await act(worker, 'reply', 'And a cup'), [unsent]);
  assert.deepEqual(await act(worker, 'again'), [unsent]);
  await server.start();
  assert.deepEqual(await act(worker, 'again'), []);
  assert.equal((await said()).filter((text) => text === 'And a cup').length, 1);

  await bob.goto(`${server.url}/rooms/${room.id}#write=Sugar%3F`); // where a browser has no box for a reply
  await line(bob, 'And a cup').waitFor(); // still signed in
  await bob.waitForFunction(() => document.activeElement?.value === 'Sugar?' && !location.hash);
  await becomes(() => composer(bob).inputValue(), 'Sugar?');
});

story('what another app shares goes into a room that one chooses', async ({ ann }) => {
  await ann.goto(server.url);
  await ann.waitForFunction(() => navigator.serviceWorker.controller);
  await ann.evaluate(() => {
    const form = Object.assign(document.createElement('form'), { action: '/share', method: 'post' });
    form.enctype = 'multipart/form-data';
    const text = Object.assign(document.createElement('input'), { name: 'text', value: 'Look at this' });
    const files = Object.assign(document.createElement('input'), { name: 'files', type: 'file', multiple: true });
    const chosen = new DataTransfer();
    chosen.items.add(new File(['leaf'], 'leaf.txt', { type: 'text/plain' }));
    files.files = chosen.files;
    form.append(text, files);
    document.body.append(form);
    form.submit();
  });
  const ask = ann.getByRole('dialog', { name: 'Share to…' });
  await ask.waitFor();
  await accessibleEverywhere(ann, 'share');
  await shot(ann, 'share');
  await ask.getByText('Workshop').click();
  await ann.getByText('leaf.txt').waitFor();
  await becomes(() => composer(ann).inputValue(), 'Look at this');
  await ann.getByRole('button', { name: 'Send', exact: true }).click();
  await line(ann, 'Look at this').waitFor();
  await ann.goto(`${server.url}/share`);
  await ann.getByText(/^Nothing to share has come here/).waitFor();
});

/** What the browser keeps of the rooms. */
const kept = (page) =>
  page.evaluate(
    () =>
      new Promise((done) => {
        const asked = indexedDB.open('unhidra');
        asked.onerror = () => done({});
        asked.onsuccess = () => {
          const db = asked.result;
          if (!db.objectStoreNames.contains('kept')) return done((db.close(), {}));
          const texts = {};
          const each = db.transaction('kept').objectStore('kept').openCursor();
          each.onsuccess = () => {
            if (!each.result) return done((db.close(), texts));
            texts[each.result.key] = each.result.value;
            each.result.continue();
          };
        };
      }),
  );

async function untilKept(page, is) {
  while (!is(await kept(page))) await page.waitForTimeout(100);
}

story('without a way to the server the rooms are read, and all is right once there is one', async ({ ann }) => {
  const annex = await call('ann', 'POST', '/rooms', { kind: 'private', name: 'Annex' });
  const wrong = await call('ann', 'POST', `/rooms/${room.id}/messages`, { key: 'wrong', text: 'a mistake' });
  await ann.goto(`${server.url}/rooms/${room.id}`);
  await line(ann, 'a mistake').waitFor();
  await untilKept(ann, (texts) => texts.rooms?.includes('Annex') && texts[`page/${room.id}`]?.includes('a mistake'));
  while (!(await ann.evaluate(async () => navigator.serviceWorker.controller && !!(await caches.match('/')))))
    await ann.waitForTimeout(100);
  await server.kill();

  await ann.reload();
  await line(ann, 'a mistake').waitFor();
  await ann.getByRole('link', { name: /Annex/ }).waitFor();
  await ann.getByText(/What you see is from/).waitFor();
  await accessibleEverywhere(ann, 'offline');
  await shot(ann, 'offline');
  await ann.getByRole('button', { name: /^\d+ members?$/ }).click();
  await ann.getByText('Couldn’t load this').waitFor();
  await ann.getByRole('button', { name: 'Close', exact: true }).click();
  await composer(ann).fill('from the train');
  await composer(ann).press('Enter');
  await ann.getByRole('log').getByText('Sending').waitFor();

  await server.start();
  await call('ann', 'DELETE', `/rooms/${room.id}/messages/${wrong.seq}`);
  await call('ann', 'POST', `/rooms/${annex.id}/leave`);
  await call('bob', 'POST', `/rooms/${room.id}/messages`, { key: 'news', text: 'welcome back' });
  await line(ann, 'welcome back').waitFor();
  await ann.getByRole('log').getByText('Sending').waitFor({ state: 'detached' });
  await line(ann, 'from the train').waitFor();
  await line(ann, 'a mistake').waitFor({ state: 'detached' });
  await ann.getByRole('link', { name: /Annex/ }).waitFor({ state: 'detached' });
  await ann.getByText(/What you see is from/).waitFor({ state: 'detached' });

  // Signed out from elsewhere, she leaves nothing behind.
  await call('ann', 'DELETE', '/me/sessions');
  await ann.getByLabel('Username or e-mail').waitFor();
  await untilKept(ann, (texts) => Object.keys(texts).length === 0);
});
