// The service worker: shows what the server pushes, opens what was clicked, answers from a notification, and has the
// files of the client for when there is no way to the server. It keeps nothing that the server says of anybody.

// The build names here the files of its version: see vite.config.ts.
const shell = {"version":"638a19a10c471259","entry":"/assets/index-BUBPMMAB.js","files":["/assets/Broken-De4rmC-_.js","/assets/Card-36H7ISg_.js","/assets/Card-Ceee_Tej.css","/assets/Completion-C0_VNhjJ.css","/assets/Completion-CzXQvpCt.js","/assets/Dialog-RvIfSpDn.css","/assets/Dialog-ciHF8iKK.js","/assets/DropHint-BdB_olUA.js","/assets/DropHint-hFa0tP8q.css","/assets/EmojiPicker-BeQ2WrQW.css","/assets/EmojiPicker-C9_22FFW.js","/assets/Empty-BACfxf19.js","/assets/Empty-BeoxtvKg.css","/assets/Field-Bp3toK-l.css","/assets/Field-C3V_9SV5.js","/assets/Flagged-fAPwMCdX.css","/assets/Flagged-wn66YxvG.js","/assets/ForwardCard-CF7ZGa8T.css","/assets/ForwardCard-oOz3owdS.js","/assets/Home-Lad2YV-H.js","/assets/Icon-CMaj6mdi.css","/assets/Icon-ClQBOU6o.js","/assets/Keys-DW5z6Xxt.css","/assets/Keys-yclyep10.js","/assets/KindChoice-7m_3Fkf1.css","/assets/KindChoice-CH6tWSi1.js","/assets/MenuList-C70A75eJ.css","/assets/MenuList-CGxzPlLs.js","/assets/MessageFiles-DvktwgYs.js","/assets/MessageFiles-JgQX3Md5.css","/assets/Overlays-BRqUKwzs.css","/assets/Overlays-HV08k1BA.js","/assets/PanelFrame-BmkpC4eu.css","/assets/PanelFrame-DaaXph6p.js","/assets/PeoplePicker-0BaH8aP-.css","/assets/PeoplePicker-DZ8xW4ge.js","/assets/PollCard-B7u2HVk8.js","/assets/PollCard-DvED-e_-.css","/assets/Previews-4vKQ2hD2.css","/assets/Previews-DMACnu8g.js","/assets/RailMenu-BOavs22c.js","/assets/ReactionPicker-C3D-NYNe.js","/assets/ReactionPicker-D_YXqnJr.css","/assets/Reactions-1kPJuyUp.js","/assets/Reactions-BDfyu1Zd.css","/assets/Recorder-Ci6xDnD-.css","/assets/Recorder-TX01WBQm.js","/assets/Replies-BI_GnSKZ.js","/assets/Replies-DOjnsUdu.css","/assets/RoomPanel-07wzpxfz.js","/assets/Share-D4Ravm74.js","/assets/Share-DkvrmNMG.css","/assets/Spark-CSs85JJS.css","/assets/Spark-DVBnIury.js","/assets/Switch-CHs4GuPN.js","/assets/Switch-D1dv8XY3.css","/assets/Thread-Dx39y0QS.js","/assets/Thread-gnTNYMNA.css","/assets/ToDate-BKUE7yk1.js","/assets/ToDate-ZgB5p6nx.css","/assets/Tray-BxSbX69h.css","/assets/Tray-Cloi67ZX.js","/assets/UserCard-CHoGq3Gg.js","/assets/UserCard-DBwjHZMh.css","/assets/WhyPaused-D2Mm8LVy.js","/assets/about-B0JI7zEE.js","/assets/administration-ZXhT95t2.js","/assets/arrange-DYBEyYmS.js","/assets/arranging-CEQ4K9S0.js","/assets/badge-BOSFlwKq.js","/assets/captcha-BmWcBryZ.js","/assets/choices-dg1G7YRm.js","/assets/complete-BAZVZrEu.js","/assets/de-2fhODACN.js","/assets/de-B3r33t4y.js","/assets/de-BHy7pGfC.js","/assets/de-BPc2kirJ.js","/assets/de-BWoEOj_l.js","/assets/de-BWs1fiNE.js","/assets/de-BoTlxdBs.js","/assets/de-CBEeraLM.js","/assets/de-CWO-FKjJ.js","/assets/de-CeheP5dT.js","/assets/de-CjcHFG03.js","/assets/de-CltveoUS.js","/assets/de-CtTSjUt4.js","/assets/de-DMDy6P_8.js","/assets/de-DZMReo2A.js","/assets/de-DlpbtiwK.js","/assets/de-DpuYYH3w.js","/assets/de-MZUEXev3.js","/assets/de-t6kf40Ac.js","/assets/decided-BrUFwr54.js","/assets/devicestate-DDiIck1U.js","/assets/disclose-version-xihTtKlq.js","/assets/emoji-DKux692T.js","/assets/emojiapi-CdrP973w.js","/assets/emojiport-r4Hjga6k.js","/assets/en-B-dBXvJq.js","/assets/en-BLzCCpVp.js","/assets/en-BTCaslDN.js","/assets/en-B_GpsHZ_.js","/assets/en-Bdaq7kM-.js","/assets/en-C3q0D6Kz.js","/assets/en-C7vzwvBG.js","/assets/en-CKMtVxMG.js","/assets/en-DKZWlLam.js","/assets/en-DYOQyDh5.js","/assets/en-D_76c103.js","/assets/en-DxSY3owo.js","/assets/en-GKxMvcCj.js","/assets/en-HnD7Mdow.js","/assets/en-L93yHERY.js","/assets/en-_puJ7XJf.js","/assets/en-ixLExvGY.js","/assets/en-qanWgLSF.js","/assets/files-BBryGRCd.js","/assets/firmware-bO_WQ3xm.js","/assets/fuzzy-LSYMlPgQ.js","/assets/highlight-vznRvbm3.js","/assets/hue-0V8-j7Eu.js","/assets/index-BUBPMMAB.js","/assets/index-Bl40beXG.css","/assets/index-client-BOPfE1ei.js","/assets/kept-DFWsnX4P.js","/assets/keys-LpWMyKio.js","/assets/legacy-CZGuve8p.js","/assets/linked.svelte-Hm3gF-sd.js","/assets/markdown-DiwiusOs.js","/assets/modal-Dv7LCKqv.js","/assets/moderationapi-Bukr6EVO.js","/assets/notifymodel.svelte-mvXWj1KC.js","/assets/outgoing-DccvX6ny.js","/assets/parts-DAnck14j.js","/assets/personal-D6bNL1uS.js","/assets/pinning-DZxXjtYo.js","/assets/pins.svelte-DprBXj9R.js","/assets/place-cFt8B1xW.js","/assets/planning-tGHVWGVp.js","/assets/points-DRg66gue.js","/assets/pollapi-CGGIYme1.js","/assets/preload-helper-DygEbaNj.js","/assets/push-C4LI3ARP.js","/assets/revision-GPXzhfYH.js","/assets/rhythm-Bp2PI2PD.js","/assets/rolldown-runtime-XKyaHtl9.js","/assets/roomcommands-Cd7PNRPF.js","/assets/saving-zJ4NE-j8.js","/assets/sha256-DbPxO8zp.js","/assets/size-VO_mhf2n.js","/assets/slash-C_jFsWly.js","/assets/storage.svelte-C95QRy-v.js","/assets/talk-B8dK3fcB.js","/assets/targets-2HS0pbtM.css","/assets/targets-DPScpI3w.js","/assets/text-nzV9dXBG.js","/assets/thread.svelte-BILgpdJl.js","/assets/usergroupapi-Bm-YjFzA.js","/assets/values-pEUpiaNB.js","/assets/when-BDFxEO59.js","/assets/wishes.svelte-D_NsIDJv.js","/badge.png","/favicon.svg","/icon-192.png","/icon.svg","/manifest.webmanifest"]};

const words = {
  en: {
    in: '{sender} in {name}',
    files: 'Sent a file',
    hidden: 'New message',
    more: '{count} new messages',
    alarm: 'Alarm',
    reminder: 'Reminder',
    reports: 'Reports',
    reportsIn: 'Reports in {name}',
    waits: 'A reported message waits for you',
    wait: '{count} reported messages wait for you',
    reply: 'Reply',
    write: 'Write a reply',
    read: 'Mark as read',
    unsent: 'Not sent: {place}',
    again: 'Send again',
  },
  de: {
    in: '{sender} in {name}',
    files: 'Hat eine Datei geschickt',
    hidden: 'Neue Nachricht',
    more: '{count} neue Nachrichten',
    alarm: 'Alarm',
    reminder: 'Erinnerung',
    reports: 'Meldungen',
    reportsIn: 'Meldungen in {name}',
    waits: 'Eine gemeldete Nachricht wartet auf dich',
    wait: '{count} gemeldete Nachrichten warten auf dich',
    reply: 'Antworten',
    write: 'Antwort schreiben',
    read: 'Als gelesen markieren',
    unsent: 'Nicht gesendet: {place}',
    again: 'Noch einmal senden',
  },
};
const say = (key, values = {}) =>
  (words[navigator.language.slice(0, 2)] ?? words.en)[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (e) => e.waitUntil(self.clients.claim()));

// Pages ask for it once they have what they need themselves. Pushes do not wait for the files.
self.addEventListener('message', (e) => e.data?.type === 'keep' && e.waitUntil(keep()));

const patience = 3_000; // for a page, which there is without the server
const shared = 'unhidra-shared';
const prefix = 'unhidra ';
const own = prefix + shell.version;
let filling;

/** Keeps the files of this version, unless they are kept. The browser may have no room for them, or no way to all. */
async function keep() {
  if (!shell.version || (await caches.match('/', { cacheName: own }))) return;
  filling ??= fill().finally(() => (filling = undefined));
  await filling.then(tidy).catch(() => undefined);
}

/**
 * Keeps the files of this version, one after the other: nobody waits for them. The page comes last, so that there is
 * none without the rest. Where that breaks off, the next time goes on.
 */
async function fill() {
  const page = await fetch('/index.html', { cache: 'reload' });
  const text = await page.clone().text();
  if (!page.ok || !text.includes(shell.entry)) throw new Error('the server has another version');
  const cache = await caches.open(own);
  for (const path of shell.files) if (!(await cache.match(path))) await cache.add(path);
  await cache.put('/', page);
}

/** Lets go of old versions, but for the last one, of which a page may still be open. */
async function tidy() {
  const names = (await caches.keys()).filter((name) => name.startsWith(prefix));
  if (!names.includes(own)) return;
  const old = names.filter((name) => name !== own).slice(0, -1);
  await Promise.all(old.map((name) => caches.delete(name)));
}

self.addEventListener('fetch', (e) => {
  const { request } = e;
  const { origin, pathname } = new URL(request.url);
  if (request.method === 'POST' && origin === self.location.origin && pathname === '/share')
    return e.respondWith(take(request));
  if (request.method !== 'GET' || origin !== self.location.origin || !shell.version) return;
  if (request.mode === 'navigate') {
    if (isPage(pathname)) e.respondWith(page(request));
  } else if (shell.files.includes(pathname) || pathname.startsWith('/assets/')) e.respondWith(file(request, pathname));
});

/** Keeps what another app shares, all or nothing, and has the page ask where it goes. */
async function take(request) {
  await caches.delete(shared);
  await keepShared(await request.formData()).catch(() => caches.delete(shared)); // the browser is full
  return Response.redirect('/share', 303);
}

async function keepShared(form) {
  const cache = await caches.open(shared);
  const text = ['title', 'text', 'url'].map((name) => form.get(name)).filter(Boolean);
  for (const [i, file] of form.getAll('files').entries()) {
    const headers = { 'Content-Type': file.type, 'X-Name': encodeURIComponent(file.name) };
    await cache.put(`/share/${i}`, new Response(file, { headers }));
  }
  await cache.put('/share', new Response([...new Set(text)].join('\n')));
}

/** Whether a path is the client's: not the API, what is written about it, or a file. */
const isPage = (path) => !/^\/(api|docs|openapi)/.test(path) && !path.slice(path.lastIndexOf('/')).includes('.');

/** The page as the server has it now. If that takes long or fails, the one that was kept whole last. */
async function page(request) {
  const answer = fetch(request);
  let timer;
  const late = new Promise((done) => (timer = setTimeout(done, patience)));
  const now = await Promise.race([answer.catch(() => undefined), late]);
  clearTimeout(timer);
  if (now && now.status < 500) return now;
  return (await lastPage()) ?? answer;
}

async function lastPage() {
  const names = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== own);
  for (const name of [...names, own].reverse()) {
    const page = (await caches.has(name)) && (await caches.match('/', { cacheName: name }));
    if (page) return page;
  }
  return undefined;
}

/** A file of the client. Its name has a hash of what is in it, or else the server's is newer than the one kept. */
async function file(request, path) {
  const kept = () => caches.match(path).catch(() => undefined); // a browser that lost what it kept asks the server
  if (path.startsWith('/assets/')) return (await kept()) ?? fetch(request);
  return fetch(request).catch(async () => (await kept()) ?? Response.error());
}

self.addEventListener('push', (e) => e.waitUntil(show(e.data)));

// Something is always shown: a browser takes pushes away from who shows nothing for one.
async function show(data) {
  let m;
  try {
    m = data.json();
  } catch {
    return self.registration.showNotification(say('hidden'), { tag: 'unhidra' });
  }
  if (m.kind === 'reminder') return remind(m);
  if (m.kind === 'report') return report(m);
  const tag = m.thread ? `${m.room}/${m.thread}` : m.room;
  const before = await self.registration.getNotifications({ tag });
  const told = before.some((n) => n.data?.seq === m.seq); // by the page itself, or by a push that came twice
  const lines = [m.text || say(m.kind === 'alarm' ? 'alarm' : m.files ? 'files' : 'hidden')];
  if (m.count > 1) lines.push(say('more', { count: m.count }));
  await self.registration.showNotification(m.direct ? m.sender : say('in', m), {
    body: lines.join('\n'),
    tag,
    renotify: !told,
    silent: told || undefined,
    timestamp: Date.parse(m.at),
    icon: m.icon || '/icon-192.png',
    badge: '/badge.png',
    actions: actionsOf(m),
    data: {
      user: m.user,
      room: m.room,
      thread: m.thread,
      seq: m.seq,
      place: m.direct ? m.sender : m.name,
      path: `/rooms/${m.room}/${m.seq}${m.thread ? `?thread=${m.thread}` : ''}`,
    },
  });
  await count();
}

/** What one can do about it here. A server that does not say whom it is for is older than that. */
function actionsOf({ user, kind }) {
  if (!user) return [];
  const read = { action: 'read', title: say('read') };
  const reply = { action: 'reply', type: 'text', title: say('reply'), placeholder: say('write') };
  return (kind === 'message' ? [reply, read] : [read]).slice(0, self.Notification?.maxActions ?? 0);
}

async function remind(m) {
  await self.registration.showNotification(say('reminder'), {
    body: m.text || m.name || '',
    tag: m.id,
    renotify: true,
    timestamp: Date.parse(m.at),
    icon: '/icon-192.png',
    badge: '/badge.png',
    data: { path: m.room ? `/rooms/${m.room}/${m.seq}` : '/scheduled' },
  });
  await count();
}

/** Says how many reported messages wait in a room or, without one, for administrators. */
async function report(m) {
  await self.registration.showNotification(say(m.room ? 'reportsIn' : 'reports', m), {
    body: say(m.count > 1 ? 'wait' : 'waits', m),
    tag: `reports/${m.room}`, // as in alerts.svelte.ts
    renotify: true,
    timestamp: Date.parse(m.at),
    icon: m.icon || '/icon.svg',
    data: { path: m.room ? `/rooms/${m.room}?panel=reports` : '/admin/reports' },
  });
  await count();
}

async function count() {
  const all = await self.registration.getNotifications();
  await navigator.setAppBadge?.(all.length).catch(() => undefined);
}

self.addEventListener('notificationclick', (e) => {
  e.notification.close();
  e.waitUntil(act(e).then(count));
});

async function act({ action, reply, notification: n }) {
  const about = n.data ?? {};
  if (action === 'read') return read(n);
  if (action === 'reply' && reply?.trim()) return send({ ...about, text: reply.trim(), key: newKey() });
  if (action === 'again') return send(about);
  // Where a browser has no box for it, and to look at what could not be sent, one writes in the room.
  if (action === 'reply' || about.text) return open(composerOf(about));
  return open(about.path ?? '/');
}

/** Where one writes: the page takes the text out of the address at once, and it is never sent to the server. */
const composerOf = ({ room, thread, text = '' }) =>
  `/rooms/${room}${thread ? `?thread=${thread}` : ''}#write=${encodeURIComponent(text)}`;

/** Sends a reply. If that fails, it is kept in a notification, which sends the same again: it is written once. */
async function send(about) {
  const { room, thread, text, key } = about;
  try {
    const call = await as(about.user);
    await call('POST', `/rooms/${room}/messages`, { key, text, ...(thread && { thread }) });
    await mark(call, about).catch(() => undefined); // whoever answers has read it
  } catch {
    await self.registration.showNotification(say('unsent', { place: about.place ?? '' }), {
      body: text,
      tag: `unsent/${key}`,
      icon: '/icon-192.png',
      badge: '/badge.png',
      requireInteraction: true,
      actions: [{ action: 'again', title: say('again') }],
      data: about,
    });
  }
}

/** Moves the read mark to a message: forward, or not at all. If that fails, the notification comes back, quietly. */
async function read(n) {
  try {
    await mark(await as(n.data.user), n.data);
  } catch {
    const { title, body, tag, timestamp, icon, badge, actions, data } = n;
    const same = { body, tag, timestamp, icon, badge, actions, data };
    await self.registration.showNotification(title, { ...same, silent: true });
  }
}

const mark = (call, { room, thread, seq }) =>
  thread
    ? call('PUT', `/rooms/${room}/messages/${thread}/thread/read`, { seq })
    : call('PUT', `/rooms/${room}/read`, { seq, main: true });

/**
 * A way to send requests as a user, who must be who is signed in here. Their token is for these requests alone, and
 * got as the page gets its own: by the cookie, while no tab does the same.
 */
async function as(user) {
  const { access_token: token, me } = await navigator.locks.request('unhidra.refresh', refresh);
  if (me.id !== user) throw new Error('somebody else is signed in');
  return (method, path, body) => call(method, path, body, token);
}

async function refresh() {
  for (let tries = 0; ; tries++) {
    try {
      return await call('POST', '/auth/refresh', {});
    } catch (err) {
      if (err.code !== 'refresh_raced' || tries === 3) throw err;
      await new Promise((done) => setTimeout(done, 300));
    }
  }
}

async function call(method, path, body, token) {
  const answer = await fetch(`/api/v1${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(`status ${answer.status}`), { code: said.code });
  return said;
}

// As the page makes them, in src/platform/key.ts.
const newKey = () => `${Date.now().toString(36)}-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;

async function open(path) {
  const [page] = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  if (!page) return self.clients.openWindow(path);
  await page.focus().catch(() => undefined);
  page.postMessage({ type: 'open', path });
}
