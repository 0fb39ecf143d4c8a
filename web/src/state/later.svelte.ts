// The messages that the user sends later, and their reminders. Both lists are asked for after each connection: what
// changed meanwhile is not told.

import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import { newKey } from '../platform/key';
import type { About, Later, Reminder, Scheduled, Times } from '../view/laterport';
import type { Me } from '../view/types';

type Changed =
  | { type: 'scheduled'; data: { id: string; scheduled?: Scheduled } }
  | { type: 'reminder'; data: { id: string; reminder?: Reminder } };

/** A list in which an item is as told, or gone. */
function changed<T extends { id: string }>(list: readonly T[], id: string, now: T | undefined): T[] {
  return [...list.filter((item) => item.id !== id), ...(now ? [now] : [])];
}

/** Times as the server is asked for them. */
const asked = ({ at, repeat }: Times) => ({ ...(at && { at: at.toISOString() }), ...(repeat && { repeat }) });

const byTime = (a: Scheduled, b: Scheduled) => Date.parse(a.at) - Date.parse(b.at);

/** Those that came are first, and then those that come next. */
function bySince(a: Reminder, b: Reminder): number {
  if (Boolean(a.since) !== Boolean(b.since)) return a.since ? -1 : 1;
  return Date.parse(a.since ?? a.at ?? '') - Date.parse(b.since ?? b.at ?? '');
}

export class OwnLater implements Later {
  readonly #api: Pick<Api<Me>, 'call'>;
  #scheduled: readonly Scheduled[] | undefined = $state.raw();
  #reminders: readonly Reminder[] | undefined = $state.raw();
  #failed: unknown = $state.raw();
  #came: Reminder | undefined = $state.raw();
  /** what was told while the lists were on their way */
  #told: Changed[] | undefined;
  /** the key of what is being added: to try again after an answer that was lost adds nothing twice */
  #key = { what: '', key: '' };
  readonly #arrived: (r: Reminder) => void;

  constructor(api: Pick<Api<Me>, 'call'>, arrived: (r: Reminder) => void) {
    this.#api = api;
    this.#arrived = arrived;
  }

  get scheduled() {
    return this.#scheduled;
  }
  get reminders() {
    return this.#reminders;
  }
  get failed() {
    return this.#failed;
  }
  get came() {
    return this.#came;
  }
  get due(): number {
    const failed = this.#scheduled?.filter((m) => m.state === 'failed') ?? [];
    return failed.length + (this.#reminders?.filter((r) => r.since).length ?? 0);
  }

  async load(): Promise<void> {
    const told: Changed[] = (this.#told = []); // of two questions the last one counts
    try {
      const [scheduled, reminders] = await Promise.all([
        this.#api.call<{ items: Scheduled[] }>('GET', '/me/scheduled'),
        this.#api.call<{ items: Reminder[] }>('GET', '/me/reminders'),
      ]);
      if (this.#told !== told) return;
      this.#told = undefined;
      this.#scheduled = scheduled.items;
      this.#reminders = reminders.items;
      this.#failed = undefined;
      for (const c of told) this.#change(c);
    } catch (err) {
      if (this.#told !== told) return;
      this.#told = undefined;
      this.#failed = err;
    }
  }

  take(f: Frame): void {
    if (f.type === 'reminder') {
      const { reminder } = f.data as { reminder?: Reminder };
      const before = this.#reminders?.find((r) => r.id === reminder?.id);
      if (reminder?.since && reminder.since !== before?.since) {
        this.#came = reminder;
        this.#arrived(reminder);
      }
    } else if (f.type !== 'scheduled') return;
    const c = f as Changed;
    this.#told?.push(c);
    this.#change(c);
  }

  #change(c: Changed): void {
    if (c.type === 'scheduled' && this.#scheduled)
      this.#scheduled = changed(this.#scheduled, c.data.id, c.data.scheduled).sort(byTime);
    if (c.type === 'reminder' && this.#reminders)
      this.#reminders = changed(this.#reminders, c.data.id, c.data.reminder).sort(bySince);
  }

  async #add<T>(path: string, what: object): Promise<T> {
    const now = JSON.stringify(what);
    if (this.#key.what !== now) this.#key = { what: now, key: newKey() };
    const added = await this.#api.call<T>('POST', path, { key: this.#key.key, ...what });
    this.#key = { what: '', key: '' };
    return added;
  }

  async schedule(room: string, thread: number | undefined, text: string, when: Times): Promise<void> {
    await this.#add('/me/scheduled', { room, ...(thread && { thread }), text, ...asked(when) });
  }

  async change(id: string, text: string, when: Times, paused = false): Promise<void> {
    await this.#api.call('PUT', `/me/scheduled/${id}`, { text, ...asked(when), ...(paused && { paused }) });
  }

  async skip(m: Scheduled): Promise<void> {
    await this.#api.call('POST', `/me/scheduled/${m.id}/skip`, { at: m.at });
  }

  async send(id: string): Promise<void> {
    await this.#api.call('POST', `/me/scheduled/${id}/send`);
  }

  async unschedule(id: string): Promise<void> {
    await this.#api.call('DELETE', `/me/scheduled/${id}`);
  }

  remind(about: About, when: Times): Promise<Reminder> {
    return this.#add('/me/reminders', { ...about, ...asked(when) });
  }

  async postpone(id: string, at: Date): Promise<void> {
    await this.#api.call('PUT', `/me/reminders/${id}`, { at: at.toISOString() });
  }

  async done(id: string): Promise<void> {
    await this.#api.call('POST', `/me/reminders/${id}/done`);
  }

  async remove(id: string): Promise<void> {
    await this.#api.call('DELETE', `/me/reminders/${id}`);
  }
}
