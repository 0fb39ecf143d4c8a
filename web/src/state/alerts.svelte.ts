// What calls for attention outside of the page: notifications, and the counts in
// the title and the tab.

import { storage } from '../platform/storage.svelte';
import type { Notifications } from '../view/port';
import { badgeOf, Favicon, titleOf } from './favicon';
import type { Message } from '../view/types';

const store = 'unhidra.notifications';

export class Alerts implements Notifications {
  #wanted = $state(storage.get(store) === 'on');
  #granted: NotificationPermission | 'unsupported' = $state('Notification' in window ? Notification.permission : 'unsupported');
  readonly #title = document.title;
  readonly #favicon = new Favicon();

  get permission() {
    if (this.#granted !== 'granted') return this.#granted;
    return this.#wanted ? 'on' : 'off';
  }

  /** Asks the browser: only ever after a click. */
  async enable(): Promise<void> {
    if (this.#granted === 'unsupported') return;
    this.#granted = await Notification.requestPermission();
    this.#want(this.#granted === 'granted');
  }

  disable(): void {
    this.#want(false);
  }

  #want(on: boolean): void {
    this.#wanted = on;
    storage.set(store, on ? 'on' : 'off');
  }

  /** Shows a message that its reader has not seen. */
  tell(title: string, m: Message): void {
    if (this.permission !== 'on') return;
    const n = new Notification(title, { body: m.text.slice(0, 200), tag: m.room });
    n.onclick = () => {
      focus();
      history.pushState({ inside: true }, '', `/rooms/${m.room}/${m.seq}`);
      dispatchEvent(new PopStateEvent('popstate'));
      n.close();
    };
  }

  /** Says in the title and in the tab's picture what is unread. */
  count(unread: number, mentions: number): void {
    document.title = titleOf(this.#title, unread, mentions);
    void this.#favicon.show(badgeOf(unread, mentions));
  }
}
