// Files that come to a room: pasted, dropped anywhere on the page, or chosen. What uploads them is loaded with the
// first.

import { reasonOf } from '../failure';
import type { Attachments, Facts } from '../filesport';
import { Dropping } from '../kit/dropping.svelte';
import type { App } from '../port';
import { t } from '../text';
import type { Message } from '../types';
import { overlay } from '../ui.svelte';

export class Attaching {
  /** of the message that is being written; undefined: there never were any */
  attached: Attachments | undefined = $state.raw();
  /** somebody speaks into the microphone */
  recording = $state(false);
  readonly #app: App;
  readonly #room: string;
  readonly #may: () => boolean;
  readonly #thread: number;
  /** what uploads files is loaded for some that come */
  #coming: Promise<number | undefined> | undefined;

  /** thread: number of the message in whose thread is written; 0: it is written in the room */
  constructor(app: App, room: string, may: () => boolean, thread = 0) {
    this.#app = app;
    this.#room = room;
    this.#may = may;
    this.#thread = thread;
    if (app.uploads) void this.load();
  }

  readonly dropping = new Dropping(
    () => this.#may(),
    (files, folders) => {
      if (folders) overlay.say(t('composer.no-folders'), true);
      void this.add(files);
    },
  );

  /** undefined: it could not be loaded, which was said */
  async load(): Promise<Attachments | undefined> {
    try {
      return (this.attached ??= (await this.#app.files()).attachments(this.#room, this.#thread));
    } catch (err) {
      overlay.say(reasonOf(err), true);
      return undefined;
    }
  }

  async add(files: readonly File[], facts?: Facts): Promise<void> {
    if (!files.length) return;
    if (!this.#may()) return overlay.say(t('composer.no-files'), true);
    const added = this.load().then((attached) => attached?.add(files, facts));
    this.#coming = added;
    const left = await added;
    if (this.#coming === added) this.#coming = undefined;
    if (left) overlay.say(t('composer.too-many', { count: 10 }), true);
  }

  /**
   * Sends the message with its files, also those that were pasted a moment ago, or has say send it without any. If what
   * uploads cannot be loaded it sends nothing.
   */
  async send(reply: Message | undefined, say: () => void): Promise<void> {
    if (this.#coming && (await this.#coming) === undefined) return;
    if (this.attached?.items.length) this.attached.send(reply);
    else say();
  }
}
