// What calls for attention outside of the page: notifications, and the counts in
// the title and the tab.

import { storage } from '../platform/storage.svelte';
import type { Reminder } from '../view/laterport';
import type { Notifications } from '../view/port';
import { gist } from '../view/files/gist';
import { badgeOf, Favicon, titleOf } from './favicon';
import type { Message } from '../view/types';
import type { Chosen } from '../view/notifyport';
import type { Choices } from './choices';
import type { About, Push } from './push';

const store = 'unhidra.notifications';

/** Whether this browser gets pushes at all. */
const pushable = () => typeof navigator !== 'undefined' && 'serviceWorker' in navigator && 'PushManager' in globalThis;

type Telling = NotificationOptions & { data: About };

/** Goes to a path within the page. */
export function go(path: string): void {
  history.pushState({ inside: true }, '', path);
  dispatchEvent(new PopStateEvent('popstate'));
}

export class Alerts implements Notifications {
  #wanted = $state(storage.get(store) === 'on');
  #granted: NotificationPermission | 'unsupported' = $state(
    'Notification' in window ? Notification.permission : 'unsupported',
  );
  readonly #server = document.title;
  #place = '';
  #counts: [unread: number, mentions: number] = [0, 0];
  readonly #favicon = new Favicon();
  #updating: ReturnType<typeof setTimeout> | undefined;
  readonly #load: (() => Promise<Push>) | undefined;
  #push: Promise<Push> | undefined;
  #pushes = $state(false);
  readonly #choose: (() => Promise<Choices>) | undefined;
  #choices: Promise<Choices> | undefined;
  readonly #shown = new Set<Notification>();

  /** load: what has pushes sent to this browser; choose: what the user wants to be told of */
  constructor(load?: () => Promise<Push>, choose?: () => Promise<Choices>) {
    this.#load = load;
    this.#choose = choose;
    if (this.permission === 'on') void this.#subscribe(); // at each start: subscriptions may end
  }

  get pushes() {
    return this.#pushes;
  }

  /** Has pushes sent here, if that can be. The page tells by itself while it is open in any case. */
  async #subscribe(): Promise<void> {
    if (!this.#load || !pushable()) return;
    this.#push ??= this.#load();
    this.#push.catch(() => (this.#push = undefined)); // offline: the next one tries again
    try {
      await (await this.#push).subscribe();
      this.#pushes = this.permission === 'on';
    } catch {
      // no push service
    }
  }

  /** Takes away what is shown of a room up to a message: it was read here or elsewhere. */
  read(room: string, seq: number): void {
    void this.#push?.then((p) => p.read(room, seq)).catch(() => undefined);
  }

  get permission() {
    if (this.#granted !== 'granted') return this.#granted;
    return this.#wanted ? 'on' : 'off';
  }

  /** Asks the browser: only ever after a click. If it gets no pushes, title is its first notification. */
  async enable(title: string): Promise<void> {
    if (this.#granted === 'unsupported') return;
    this.#granted = await Notification.requestPermission();
    this.#want(this.#granted === 'granted');
    if (!this.#wanted) return;
    await this.#subscribe();
    // A page may not show any in Chrome on Android, where a service worker does: better found out at once.
    if (!this.#pushes) await this.test(title);
    if (this.#granted !== 'granted') this.#want(false);
  }

  /** Shows a notification, also when the one before it in the same place is still there. */
  async #show(title: string, options: Telling): Promise<void> {
    options = { ...options, renotify: true } as Telling;
    if (this.#push) {
      try {
        return await (await this.#push).show(title, options);
      } catch {
        // the page shows it
      }
    }
    try {
      const n = new Notification(title, options);
      this.#shown.add(n);
      n.onclose = () => this.#shown.delete(n);
      const { path } = options.data;
      n.onclick = () => {
        focus();
        if (path) go(path);
        n.close();
      };
    } catch {
      this.#granted = 'unsupported';
    }
  }

  /** Tells no more here. Fails if the server does not know it yet: this browser has let go of its pushes by then. */
  async disable(): Promise<void> {
    this.#want(false);
    this.#pushes = false;
    await (await this.#push)?.unsubscribe();
  }

  /** Shows a notification, as messages would be. */
  test(title: string): Promise<void> {
    return this.#show(title, { tag: 'unhidra', data: {} });
  }

  /** Looks again whether the browser allows it: its own settings tell no page. */
  look(): void {
    const before = this.#granted;
    if (before === 'unsupported' || before === Notification.permission) return;
    this.#granted = Notification.permission;
    if (this.permission === 'on') void this.#subscribe();
    else this.#pushes = false;
  }

  /** Leaves nothing in this browser of who signs out: nothing shown, and no pushes to whoever signs in next. */
  clear(): void {
    this.#wanted = this.#pushes = false;
    storage.remove(store);
    for (const n of this.#shown) n.close();
    if (pushable()) this.#push ??= this.#load?.();
    void this.#push?.then((p) => p.clear()).catch(() => undefined);
  }

  #want(on: boolean): void {
    this.#wanted = on;
    storage.set(store, on ? 'on' : 'off');
  }

  /** Takes what the user has chosen on any device. */
  chosen(c: Chosen): void {
    void this.#choices?.then((all) => all.take(c)).catch(() => undefined);
  }

  async #chosen<T>(ask: (all: Choices) => Promise<T>): Promise<T | undefined> {
    this.#choices ??= this.#choose?.();
    this.#choices?.catch(() => (this.#choices = undefined));
    return this.#choices?.then(ask);
  }

  /**
   * Shows that somebody has reported a message, unless the server tells this browser. Says whether the user wants to
   * know of it in the page, too.
   */
  async reported(room: string, title: string, body: string, path: string): Promise<boolean> {
    if (!(await this.#chosen((all) => all.reports(room)).catch(() => false))) return false;
    if (this.permission === 'on' && !this.#pushes && !document.hasFocus())
      void this.#show(title, { body, tag: `reports/${room}`, data: { path } });
    return true;
  }

  /** Takes that away: none waits any more in a room or, without one, for administrators. */
  decided(room: string): void {
    const tag = `reports/${room}`;
    for (const n of this.#shown) if (n.tag === tag) n.close();
    void this.#push?.then((p) => p.close(tag)).catch(() => undefined);
  }

  /** Shows a message that its reader has not seen, as they want to be told of it. */
  async tell(title: string, m: Message, direct = false, followed = false, icon?: string): Promise<void> {
    if (this.permission !== 'on') return;
    let body = gist(m).slice(0, 200);
    if (this.#choose) {
      const how = await this.#chosen((all) => all.how(m, direct, followed)).catch(() => 'not');
      if (how === 'not' || this.permission !== 'on') return;
      if (how === 'hidden') body = '';
    }
    const { room, seq } = m;
    const thread = m.broadcast ? undefined : m.thread;
    void this.#show(title, {
      body,
      ...(icon && { icon }),
      tag: thread ? `${room}/${thread}` : room, // as in sw.js: a push about it replaces this one
      data: { room, thread, seq, place: title, path: `/rooms/${room}/${seq}${thread ? `?thread=${thread}` : ''}` },
    });
  }

  /** Shows a reminder that says words, unless its user looks at the page, or the server tells this browser. */
  remind(r: Reminder, words: string): void {
    if (this.permission !== 'on' || this.#pushes || document.hasFocus()) return;
    const path = r.message ? `/rooms/${r.message.room}/${r.message.seq}` : '/scheduled';
    void this.#show(words.slice(0, 200), { tag: r.id, data: { path } });
  }

  /** Says in the title and in the tab's picture what is unread. */
  count(unread: number, mentions: number): void {
    this.#counts = [unread, mentions];
    if (this.#pushes) void navigator.setAppBadge?.(mentions).catch(() => undefined);
    this.#update();
  }

  at(place: string): void {
    this.#place = place;
    this.#update();
  }

  /** Shows what has changed once all is dealt with that came: what is read at once is never shown as unread. */
  #update(): void {
    this.#updating ??= setTimeout(() => {
      this.#updating = undefined;
      const title = titleOf([this.#place, this.#server].filter(Boolean).join(' · '), ...this.#counts);
      if (document.title !== title) document.title = title;
      void this.#favicon.show(badgeOf(...this.#counts));
    });
  }
}
