// The connection as the views see it, and what keeps it good: a token that is
// renewed in time, and news that come in batches, one for each frame of the screen.

import { Refusal, type Api } from '../net/api';
import { Connection, type Frame, type State } from '../net/connection';
import type * as port from '../view/port';
import type { Me } from '../view/types';
import { Batch } from './batch';
import { Idle } from './idle';

const bannerAfter = 2_000;
const refreshBefore = 90_000;

/** What happens on the connection. */
export interface Events {
  /** the first frame; nothing else is shown before it is dealt with */
  hello: (data: unknown) => Promise<void>;
  frames: (f: readonly Frame[]) => void;
  live: () => void;
}

export class Link implements port.Link {
  readonly #api: Api<Me>;
  readonly #connection: Connection;
  readonly #batch: Batch<Frame>;
  readonly #idle = new Idle(() => this.#active());
  #now = $state(Date.now());
  #since: number = $state(0);
  #stand: { state: State; show: boolean; retryAt: number } = $state.raw({
    state: 'connecting',
    show: false,
    retryAt: 0,
  });
  #show: ReturnType<typeof setTimeout> | undefined;
  readonly #timers = [setInterval(() => this.#tick(), 1000), setInterval(() => void this.#renew(), 20_000)];

  /** since: when what is shown at first was true; 0: nothing is */
  constructor(api: Api<Me>, since: number, on: Events) {
    this.#api = api;
    this.#since = since;
    this.#batch = new Batch(on.frames);
    this.#connection = new Connection({
      token: (fresh) => api.token(fresh),
      hello: async (data) => {
        await on.hello(data);
        this.#active();
      },
      frame: (f) => this.#batch.add(f),
      answered: () => this.#batch.flush(),
      state: (s, retryAt) => this.#linked(s, retryAt, on.live),
      ended: (reason) => this.#ended(api, reason),
      tracing: api.tracing,
    });
  }

  start(): void {
    this.#connection.start();
  }

  /** The session is over. Who was a guest is to be told since when: the server says that to a request only. */
  #ended(api: Api<Me>, reason: string): void {
    if (reason !== 'guest_ended' && reason !== 'account_changed') return api.forget();
    const told = (err: unknown) => err instanceof Refusal && err.status === 401;
    api.refresh().then(
      () => api.forget(),
      (err) => told(err) || api.forget(),
    );
  }

  /** Lets go of everything: somebody signed out. */
  close(): void {
    this.#connection.stop();
    this.#batch.stop();
    this.#timers.forEach(clearInterval);
    clearTimeout(this.#show);
    this.#idle.stop();
  }

  get live(): boolean {
    return this.#connection.live;
  }
  get state() {
    return this.#stand.state;
  }
  get show() {
    return this.#stand.show;
  }
  /** when what is shown was true; 0: it is, or nothing is shown yet */
  get since(): number {
    return this.#since;
  }
  get seconds(): number {
    return Math.max(0, Math.ceil((this.#stand.retryAt - this.#now) / 1000));
  }

  request<T>(type: string, data: unknown): Promise<T> {
    return this.#connection.request<T>(type, data);
  }

  tell(type: string, data: unknown): void {
    this.#connection.tell(type, data);
  }

  tryNow(): void {
    this.#connection.tryNow();
  }

  // The clock is read where a wait is shown, and nowhere else.
  #tick(): void {
    if (this.#stand.state === 'waiting') this.#now = Date.now();
  }

  #linked(state: State, retryAt: number, live: () => void): void {
    this.#now = Date.now();
    if (state === 'live') this.#since = 0;
    else if (this.#stand.state === 'live') this.#since = this.#now;
    this.#stand = { state, show: this.#stand.show && state !== 'live', retryAt };
    if (state === 'live') {
      clearTimeout(this.#show);
      this.#show = undefined;
      live();
    } else {
      this.#show ??= setTimeout(() => (this.#stand = { ...this.#stand, show: true }), bannerAfter);
    }
  }

  async #renew(): Promise<void> {
    if (!this.live || Date.now() < this.#api.expires - refreshBefore) return;
    try {
      await this.request('auth.refresh', { token: await this.#api.token(true) });
    } catch {
      // The server closes with 4401 when the token ends, and the next connection brings a new one.
    }
  }

  #active(): void {
    this.request('presence.set', { active: this.#idle.active }).catch(() => {}); // repeated at the next hello
  }
}
