// What calls for attention outside of the page: notifications, and the counts in
// the title and the tab.

import { storage } from '../platform/storage.svelte';
import type { Notifications } from '../view/port';
import { gist } from '../view/files/gist';
import { badgeOf, Favicon, titleOf } from './favicon';
import type { Message } from '../view/types';
import type { Push } from './push';

const store = 'unhidra.notifications';

/** Whether this browser gets pushes at all. */
const pushable = () => typeof navigator !== 'undefined' && 'serviceWorker' in navigator && 'PushManager' in globalThis;

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

  /** load: what has pushes sent to this browser */
  constructor(load?: () => Promise<Push>) {
    this.#load = load;
    if (this.permission === 'on') void this.#subscribe(); // at each start: subscriptions may end
  }

  get pushes() {
    return this.#pushes;
  }

  /** Has pushes sent here, if that can be. The page tells by itself while it is open in any case. */
  async #subscribe(): Promise<void> {
    if (!this.#load || !pushable()) return;
    try {
      this.#push ??= this.#load();
      await (await this.#push).subscribe();
      this.#pushes = this.permission === 'on';
    } catch {
      this.#push = undefined;
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

  /** Asks the browser, and shows title as the first notification: only ever after a click. */
  async enable(title: string): Promise<void> {
    if (this.#granted === 'unsupported') return;
    this.#granted = await Notification.requestPermission();
    this.#want(this.#granted === 'granted');
    // Chrome on Android grants, and then throws: better found out at once.
    if (this.#wanted) this.#show(title, { tag: 'unhidra' });
    if (this.permission === 'on') await this.#subscribe();
  }

  /** Shows a notification, also when the one before it in the same place is still there. */
  #show(title: string, options: NotificationOptions): Notification | undefined {
    try {
      return new Notification(title, { ...options, renotify: true } as NotificationOptions);
    } catch {
      this.#granted = 'unsupported';
      this.#want(false);
      return undefined;
    }
  }

  disable(): void {
    this.#want(false);
    this.#pushes = false;
    void this.#push?.then((p) => p.unsubscribe()).catch(() => undefined);
  }

  #want(on: boolean): void {
    this.#wanted = on;
    storage.set(store, on ? 'on' : 'off');
  }

  /** Shows a message that its reader has not seen. */
  tell(title: string, m: Message): void {
    if (this.permission !== 'on') return;
    const n = this.#show(title, { body: gist(m).slice(0, 200), tag: m.room });
    if (!n) return;
    n.onclick = () => {
      focus();
      const thread = m.thread && !m.broadcast ? `?thread=${m.thread}` : '';
      history.pushState({ inside: true }, '', `/rooms/${m.room}/${m.seq}${thread}`);
      dispatchEvent(new PopStateEvent('popstate'));
      n.close();
    };
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
