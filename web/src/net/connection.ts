// The WebSocket: one connection that comes back by itself. docs/protocol.md
// says what the frames mean.

import { Refusal, type Problem } from './api';
import type { Traced, Tracing } from './tracing';

export type State = 'offline' | 'connecting' | 'syncing' | 'live' | 'waiting';

export interface Frame {
  id?: string;
  type: string;
  data?: unknown;
  error?: Problem & { detail: string };
}

/** The first frame of a connection; with more, others follow at once that name further rooms. */
interface Hello {
  rooms?: unknown[];
  more?: boolean | undefined;
  /** of the requests that this client is to trace */
  trace_share?: number;
}

/** The connection ended before the answer came: nobody knows what became of the request. */
export class Lost extends Error {}

export interface Options {
  /** an access token; fresh: the last one was refused */
  token: (fresh: boolean) => Promise<string>;
  /** the first frame of a connection, with all rooms; requests sent from here go before all others */
  hello: (data: unknown) => Promise<void>;
  frame: (f: Frame) => void;
  /** an answer came, and is given out next: frames that were put off came before it */
  answered?: () => void;
  state: (s: State, retryAt: number) => void;
  /** the server said not to come back */
  ended: (reason: string) => void;
  tracing?: Tracing;
  socket?: (url: string, protocols: string[]) => WebSocket;
  random?: () => number;
}

const baseDelay = 1_000;
const maxDelay = 30_000;
const quiet = 25_000; // after this without a frame, ask whether the server is there
const patience = 10_000; // for that answer, and for the first frame
const soon = 3_000; // for the answer when there is a reason to doubt
const tick = 5_000; // a clock that goes on by much more has slept

/** What says that the way to the server may be another, or cut. */
const doubts = ['online', 'offline', 'focus', 'pageshow', 'visibilitychange'] as const;

interface Waiting {
  done: (data: unknown) => void;
  failed: (err: Error) => void;
  traced: Traced | undefined;
}

export class Connection {
  readonly #o: Options;
  #socket: WebSocket | undefined;
  #state: State = 'offline';
  #stopped = true;
  #tries = 0;
  #fresh = false;
  #failed = 0; // tries until it was live
  #liveAt = 0;
  #next = 0;
  #traces = false; // the server at the other end takes traceparents
  #waiting = new Map<string, Waiting>();
  #greeting: Hello | undefined; // until the last page has come
  #retry: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setTimeout> | undefined;
  #heard = 0; // when the last frame came
  #ticked = 0;
  #ticker: ReturnType<typeof setInterval> | undefined;

  constructor(o: Options) {
    this.#o = o;
  }

  get live(): boolean {
    return this.#state === 'live';
  }

  start(): void {
    this.#stopped = false;
    for (const sign of doubts) addEventListener(sign, this.#doubt);
    network()?.addEventListener('change', this.#doubt);
    this.#ticked = Date.now();
    this.#ticker = setInterval(() => this.#tick(), tick);
    void this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    for (const sign of doubts) removeEventListener(sign, this.#doubt);
    network()?.removeEventListener('change', this.#doubt);
    clearInterval(this.#ticker);
    clearTimeout(this.#retry);
    this.#drop(1000);
  }

  /** Does not wait any longer for the next try. */
  tryNow(): void {
    if (this.#stopped || this.#socket) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    void this.#connect();
  }

  /** Sends a request and returns the data of its answer. */
  request<T>(type: string, data?: unknown): Promise<T> {
    if (!this.#socket || this.#socket.readyState !== WebSocket.OPEN) return Promise.reject(new Lost());
    const id = String(++this.#next);
    const traced = this.#traces ? this.#o.tracing?.begin(type) : undefined;
    this.#socket.send(JSON.stringify({ id, type, data, trace: traced?.traceparent }));
    return new Promise<T>((done, failed) => this.#waiting.set(id, { done: (d) => done(d as T), failed, traced }));
  }

  /** Sends something that is not answered, if there is a connection. */
  tell(type: string, data: unknown): void {
    if (this.live) this.#socket?.send(JSON.stringify({ type, data }));
  }

  // What the browser says of the network is a hint: it is often wrong both ways.
  #doubt = () => {
    if (document.visibilityState === 'hidden') return;
    if (this.#retry !== undefined) return this.tryNow();
    if (this.#socket?.readyState === WebSocket.OPEN && Date.now() - this.#heard > 1000) this.#ask(soon);
  };

  #tick(): void {
    const slept = Date.now() - this.#ticked > 3 * tick;
    this.#ticked = Date.now();
    if (slept) this.#doubt();
  }

  #set(s: State, retryAt = 0): void {
    this.#state = s;
    this.#o.state(s, retryAt);
  }

  async #connect(): Promise<void> {
    this.#set('connecting');
    let token: string;
    try {
      token = await this.#o.token(this.#fresh);
      this.#fresh = false;
    } catch (err) {
      if (err instanceof Refusal && err.status === 401) return; // signed out: the session knows
      return this.#later();
    }
    if (this.#stopped || this.#socket) return;
    const url = `${location.origin.replace(/^http/, 'ws')}/ws`;
    const socket = (this.#o.socket ?? ((u, p) => new WebSocket(u, p)))(url, ['bearer', token]);
    this.#socket = socket;
    this.#give(patience);
    let greeted = false;
    socket.onmessage = (e: MessageEvent<string>) => {
      if (this.#socket !== socket) return;
      this.#watch();
      this.#take(JSON.parse(e.data) as Frame);
      greeted = true;
    };
    socket.onclose = (e: CloseEvent) => {
      if (this.#socket !== socket) return;
      // A handshake that is refused looks like any failure: the token may be why.
      if (!greeted && this.#tries % 3 === 1) this.#fresh = true;
      this.#lost();
      this.#after(e.code, e.reason);
    };
  }

  #take(f: Frame): void {
    if (f.id !== undefined && (f.type === 'ok' || f.type === 'error')) {
      this.#o.answered?.();
      const w = this.#waiting.get(f.id);
      this.#waiting.delete(f.id);
      w?.traced?.end(f.error?.kind === 'internal' || f.error?.kind === 'unavailable');
      if (f.type === 'ok') w?.done(f.data);
      else w?.failed(new Refusal(0, f.error ?? {}));
      return;
    }
    if (f.type !== 'hello') return this.#o.frame(f);
    const hello = this.#gather(f.data as Hello);
    if (hello.more) return;
    const share = hello.trace_share ?? 0;
    this.#traces = share > 0; // servers that do not trace may refuse the field
    if (this.#o.tracing) this.#o.tracing.share = share;
    this.#o.answered?.();
    this.#set('syncing');
    const socket = this.#socket;
    this.#o.hello(hello).then(
      () => {
        if (this.#socket !== socket) return;
        this.#failed = this.#tries;
        this.#tries = 0;
        this.#liveAt = Date.now();
        this.#set('live');
      },
      () => socket?.close(4408),
    );
  }

  /** Adds the rooms of a page to those before it. */
  #gather(page: Hello): Hello {
    const first = this.#greeting;
    const hello = first ? { ...first, rooms: [...(first.rooms ?? []), ...(page.rooms ?? [])], more: page.more } : page;
    this.#greeting = hello.more ? hello : undefined;
    return hello;
  }

  /** Decides what the end of a connection means. */
  #after(code: number, reason: string): void {
    if (this.#stopped) return;
    if (code === 4410 || code === 4403 || code === 4400) {
      this.#stopped = true;
      this.#set('offline');
      return this.#o.ended(reason);
    }
    if (code === 4401) {
      this.#fresh = true;
      // A server that ends each new token soon counts as failing.
      if (Date.now() - this.#liveAt < maxDelay) this.#tries = Math.max(this.#tries, this.#failed);
      if (this.#tries === 0) {
        this.#tries++;
        return void this.#connect();
      }
    }
    const said = /\d+(\.\d+)?/.exec(reason);
    this.#later((code === 1012 || code === 4429) && said ? Number(said[0]) * 1000 : 0);
  }

  /** Tries again after a random part of a time that doubles. */
  #later(least = 0): void {
    if (this.#stopped) return;
    const ceiling = Math.min(maxDelay, baseDelay * 2 ** Math.min(this.#tries++, 10));
    const wait = least + Math.max(100, (this.#o.random ?? Math.random)() * ceiling);
    this.#set(navigator.onLine === false ? 'offline' : 'waiting', Date.now() + wait);
    this.#retry = setTimeout(() => this.tryNow(), wait);
  }

  /** Asks a server that says nothing whether it is there. */
  #watch(): void {
    this.#heard = Date.now();
    clearTimeout(this.#pulse);
    this.#pulse = setTimeout(() => this.#ask(patience), quiet);
  }

  /** Asks the server whether it is there. */
  #ask(wait: number): void {
    this.request('ping').catch(() => {});
    this.#give(wait);
  }

  /** Gives the connection up unless a frame comes in time. */
  #give(wait: number): void {
    clearTimeout(this.#pulse);
    this.#pulse = setTimeout(() => {
      this.#drop(4408);
      this.#later();
    }, wait);
  }

  #drop(code: number): void {
    const socket = this.#socket;
    this.#lost();
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close(code);
  }

  #lost(): void {
    clearTimeout(this.#pulse);
    this.#socket = undefined;
    this.#traces = false;
    this.#greeting = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const w of waiting) {
      w.traced?.end(true);
      w.failed(new Lost());
    }
  }
}

/** The browser's view of the network, where there is one. */
function network(): EventTarget | undefined {
  return (navigator as Navigator & { connection?: EventTarget }).connection;
}
