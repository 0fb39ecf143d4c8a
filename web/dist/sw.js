// The service worker: shows what the server pushes, and opens what was clicked. It keeps no pages.

const words = {
  en: {
    in: '{sender} in {name}',
    files: 'Sent a file',
    hidden: 'New message',
    more: '{count} new messages',
    alarm: 'Alarm',
    reminder: 'Reminder',
  },
  de: {
    in: '{sender} in {name}',
    files: 'Hat eine Datei geschickt',
    hidden: 'Neue Nachricht',
    more: '{count} neue Nachrichten',
    alarm: 'Alarm',
    reminder: 'Erinnerung',
  },
};
const say = (key, values = {}) =>
  (words[navigator.language.slice(0, 2)] ?? words.en)[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (e) => e.waitUntil(self.clients.claim()));

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
    icon: '/icon.svg',
    data: { seq: m.seq, room: m.room, path: `/rooms/${m.room}/${m.seq}${m.thread ? `?thread=${m.thread}` : ''}` },
  });
  await count();
}

async function remind(m) {
  await self.registration.showNotification(say('reminder'), {
    body: m.text || m.name || '',
    tag: m.id,
    renotify: true,
    timestamp: Date.parse(m.at),
    icon: '/icon.svg',
    data: { path: m.room ? `/rooms/${m.room}/${m.seq}` : '/scheduled' },
  });
  await count();
}

async function count() {
  const all = await self.registration.getNotifications();
  await navigator.setAppBadge?.(all.length).catch(() => undefined);
}

self.addEventListener('notificationclick', (e) => {
  e.notification.close();
  e.waitUntil(open(e.notification.data?.path ?? '/'));
});

async function open(path) {
  const [page] = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  if (!page) return self.clients.openWindow(path);
  await page.focus().catch(() => undefined);
  page.postMessage({ type: 'open', path });
}
