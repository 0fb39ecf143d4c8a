// Pushes to this browser: the service worker, and the subscription of the session.

import type { Api } from '../net/api';
import { t } from '../view/text';
import type { Me } from '../view/types';
import { go } from './alerts.svelte';

interface Listed {
  key: string;
  items: { id: string; current?: boolean }[];
}

const patience = 15_000; // a browser that cannot reach its push service may never answer

/** Waits for a promise, but not for longer than that. */
function within<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, refuse) => {
    timer = setTimeout(() => refuse(new Error('no answer from the push service')), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

const same = (a: ArrayBuffer | null, b: Uint8Array) =>
  a !== null && a.byteLength === b.length && new Uint8Array(a).every((x, i) => x === b[i]);

/** What a notification is about, which the service worker acts on. */
export interface About {
  room?: string;
  thread?: number | undefined;
  seq?: number;
  path?: string;
  /** what the room is called */
  place?: string;
}

/** What one can do about a message, as far as the browser shows it; as in sw.js. */
function actions() {
  const most = (Notification as { maxActions?: number }).maxActions ?? 0;
  const reply = { action: 'reply', type: 'text', title: t('message.reply'), placeholder: t('message.write-reply') };
  return [reply, { action: 'read', title: t('message.mark-read') }].slice(0, most);
}

export class Push {
  readonly #api: Api<Me>;
  readonly #me: string;

  constructor(api: Api<Me>, me: string) {
    this.#api = api;
    this.#me = me;
    navigator.serviceWorker.addEventListener('message', (e: MessageEvent<{ type?: string; path?: string }>) => {
      if (e.data.type === 'open' && e.data.path?.startsWith('/')) go(e.data.path);
    });
  }

  /** Has the server send pushes here. Fails if this browser gets none. */
  async subscribe(): Promise<void> {
    const worker = await within(navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready));
    const { key } = await this.#api.call<Listed>('GET', '/push');
    const own = bytes(key);
    let now = await worker.pushManager.getSubscription();
    if (now && !same(now.options.applicationServerKey, own)) {
      await now.unsubscribe(); // of another server at this address, or of one with another key
      now = null;
    }
    now ??= await within(worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: own }));
    const { endpoint, keys } = now.toJSON();
    await this.#api.call('POST', '/push/subscriptions', { endpoint, p256dh: keys?.['p256dh'], auth: keys?.['auth'] });
  }

  /** Has the server send no more pushes here. */
  async unsubscribe(): Promise<void> {
    await this.clear(); // in any case: without a network, too, and the push service tells the server
    const { items } = await this.#api.call<Listed>('GET', '/push');
    const mine = items.find((s) => s.current);
    if (mine) await this.#api.call('DELETE', `/push/subscriptions/${mine.id}`);
  }

  /** Closes all that is shown, and has this browser take no more pushes. */
  async clear(): Promise<void> {
    const worker = await navigator.serviceWorker.getRegistration();
    for (const n of (await worker?.getNotifications()) ?? []) n.close();
    await (await worker?.pushManager.getSubscription())?.unsubscribe();
  }

  /** Shows a notification by the service worker: where a page may show none, and so that a push replaces it. */
  async show(title: string, options: NotificationOptions & { data: About }): Promise<void> {
    const worker = await navigator.serviceWorker.getRegistration();
    if (!worker) throw new Error('no service worker');
    const { seq } = options.data;
    const acting = seq && { actions: actions(), data: { ...options.data, user: this.#me } };
    await worker.showNotification(title, { icon: '/icon-192.png', badge: '/badge.png', ...options, ...acting });
  }

  async close(tag: string): Promise<void> {
    const worker = await navigator.serviceWorker.getRegistration();
    for (const n of (await worker?.getNotifications({ tag })) ?? []) n.close();
  }

  /** Closes what is shown of a room up to a message, which was read somewhere. */
  async read(room: string, seq: number): Promise<void> {
    const worker = await navigator.serviceWorker.getRegistration();
    const all = (await worker?.getNotifications()) ?? [];
    for (const n of all) {
      const about = n.data as { room?: string; seq?: number } | null;
      if (about?.room === room && (about.seq ?? 0) <= seq) n.close();
    }
  }
}
