// What the user has chosen to be told of, for the page on which they choose it.

import type { Api } from '../net/api';
import type * as port from '../view/notifyport';
import type { Me } from '../view/types';

/** A choice that the server has not answered yet. */
interface Wish {
  apply: (c: port.Chosen) => port.Chosen;
  /** nothing: it is about the account */
  choice?: port.NotifyChoice;
  done: () => void;
  failed: (err: unknown) => void;
}

export class NotifyModel implements port.NotifyModel {
  readonly #api: Pick<Api<Me>, 'call'>;
  /** as the server has it */
  #known: port.Chosen | undefined;
  #shown: port.Chosen | undefined = $state.raw();
  #sent: Wish[] = [];
  #waiting: Wish[] = [];
  #answers = 0;

  readonly #muted: ((rooms: readonly string[]) => void) | undefined;

  /** muted: is told which rooms the user wants to hear nothing of */
  constructor(api: Pick<Api<Me>, 'call'>, muted?: (rooms: readonly string[]) => void) {
    this.#api = api;
    this.#muted = muted;
  }

  get now() {
    return this.#shown;
  }

  async load(): Promise<void> {
    const before = this.#answers;
    const c = await this.#api.call<port.Chosen>('GET', '/notifications');
    if (before === this.#answers) this.take(c); // else a later answer is here
  }

  /** Takes what the server has, chosen on whatever device. */
  take(c: port.Chosen): void {
    this.#answers++;
    this.#known = c;
    this.#show();
  }

  set(change: port.NotifyChange): Promise<void> {
    return this.#wish((c) => ({ ...c, ...change }) as port.Chosen);
  }

  choose(choice: port.NotifyChoice): Promise<void> {
    const { room, thread, level } = choice;
    const rest = (c: port.Chosen) => c.choices.filter((x) => x.room !== room || x.thread !== thread);
    const place = (c: port.Chosen) => c.choices.findIndex((x) => x.room === room && x.thread === thread);
    return this.#wish((c) => {
      if (!level) return { ...c, choices: rest(c) };
      const at = place(c);
      return { ...c, choices: at < 0 ? [...c.choices, choice] : c.choices.with(at, choice) };
    }, choice);
  }

  #wish(apply: Wish['apply'], choice?: port.NotifyChoice): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ apply, done, failed, ...(choice && { choice }) });
      this.#show();
      if (this.#sent.length === 0) void this.#send();
    });
  }

  #show(): void {
    this.#shown = this.#known && [...this.#sent, ...this.#waiting].reduce((c, w) => w.apply(c), this.#known);
    const rooms = this.#shown?.choices.filter((c) => !c.thread && c.level === 'nothing');
    if (rooms) this.#muted?.(rooms.map((c) => c.room));
  }

  /** Sends one after another; what was chosen for the account meanwhile goes together. */
  async #send(): Promise<void> {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const room = this.#waiting.findIndex((w) => w.choice);
      const count = first.choice ? 1 : room < 0 ? this.#waiting.length : room;
      const sent = (this.#sent = this.#waiting.splice(0, count));
      try {
        const answer = await (first.choice ? this.#put(first.choice) : this.#putAll(sent));
        this.#sent = [];
        this.take(answer);
        for (const w of sent) w.done();
      } catch (err) {
        this.#sent = [];
        this.#show();
        for (const w of sent) w.failed(err);
      }
    }
  }

  async #putAll(wishes: readonly Wish[]): Promise<port.Chosen> {
    if (!this.#known) await this.load(); // the account's settings are sent whole
    const now = wishes.reduce((c, w) => w.apply(c), this.#known!);
    const { level, keywords, quiet, paused_until, hide_text, mute_reports } = now;
    return this.#api.call('PUT', '/notifications', { level, keywords, quiet, paused_until, hide_text, mute_reports });
  }

  #put({ room, thread, level }: port.NotifyChoice): Promise<port.Chosen> {
    return this.#api.call('PUT', `/rooms/${encodeURIComponent(room)}/notifications`, { thread, level });
  }

  async subscribed(): Promise<port.Subscribed[]> {
    return (await this.#api.call<{ items: port.Subscribed[] }>('GET', '/push')).items;
  }

  digest(): Promise<port.Digest> {
    return this.#api.call('GET', '/notifications/digest');
  }

  setDigest({ every, weekday, time, zone }: port.DigestChoice): Promise<port.Digest> {
    return this.#api.call('PUT', '/notifications/digest', { every, weekday, time, zone });
  }

  async unsubscribe(id: string): Promise<void> {
    await this.#api.call('DELETE', `/push/subscriptions/${encodeURIComponent(id)}`);
  }
}
