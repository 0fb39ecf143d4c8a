// The REST API: one function to call it, which keeps the access token fresh.
// The refresh token is in a cookie that no script can read.

import { storage } from '../platform/storage.svelte';
import { Tracing } from './tracing';

/** What the server refused, in its own words. */
export class Refusal extends Error {
  readonly status: number;
  readonly kind: string;
  readonly code: string;
  readonly detail: string;
  readonly fields: { pointer: string; detail: string }[];
  /** seconds to wait before another try; 0: nothing was said */
  readonly retryAfter: number;
  /** by which the server's operator finds the request; empty: there is nothing */
  readonly reference: string;
  /** what the detail says of this case */
  readonly values: Record<string, string>;

  constructor(status: number, body: Problem, retryAfter = 0) {
    super(body.detail ?? body.title ?? `status ${status}`);
    this.status = status;
    this.kind = body.kind ?? 'internal';
    this.code = body.code ?? '';
    this.detail = body.detail ?? '';
    this.fields = body.errors ?? body.fields ?? [];
    this.retryAfter = body.retry_after ?? retryAfter;
    this.values = body.values ?? {};
    this.reference = body.trace ?? body.instance ?? '';
  }
}

export interface Problem {
  title?: string;
  kind?: string;
  code?: string;
  detail?: string;
  errors?: { pointer: string; detail: string }[];
  fields?: { pointer: string; detail: string }[];
  retry_after?: number;
  values?: Record<string, string>;
  /** ids of the trace and of the request */
  trace?: string;
  instance?: string;
}

/** The server could not be reached. */
export class Unreachable extends Error {
  readonly detail: string;

  constructor(detail: string) {
    super(detail);
    this.detail = detail;
  }
}

export interface Signed<Me> {
  state: string;
  access_token: string;
  /** seconds that the access token is good for */
  expires_in: number;
  me: Me;
  /** a second factor must be added before anything else */
  limited?: boolean;
  /** for the next step, where more is asked for */
  ticket?: string;
  methods?: string[];
}

const reports = '/traces';
const hint = 'unhidra.signed-in';

export class Api<Me> {
  #token = '';
  #expires = 0;
  #refreshing: Promise<Signed<Me>> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #unreachable: string;
  readonly tracing = new Tracing((spans) => this.call('POST', reports, { spans }));
  /** called when the session has ended, whoever ended it; by: what the server said then */
  onEnd: (by?: Refusal) => void = () => {};
  /** called with each answer of the server that says who is signed in by the cookie */
  onRefresh: (s: Signed<Me>) => void = () => {};

  constructor(unreachable: string) {
    this.#unreachable = unreachable;
  }

  /** whether this browser was signed in when it was last here */
  get hinted(): boolean {
    return storage.get(hint) !== undefined;
  }

  /** Sends one request as whoever is signed in. */
  call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.withToken((token) => this.#send<T>(method, path, body, token));
  }

  /**
   * Sends one request whose answer has new tokens, because it has proven who is here. Nobody refreshes
   * before they are kept: that would give tokens of the same session without what was proven.
   */
  renew<S extends Signed<Me>>(method: string, path: string, body: unknown): Promise<S> {
    return this.withToken((token) =>
      this.#alone(async () => {
        const signed = await this.#send<S>(method, path, body, token);
        this.keep(signed);
        return signed;
      }),
    );
  }

  /** Does some work with an access token, and once more with another one if it was too old. */
  async withToken<T>(work: (token: string) => Promise<T>): Promise<T> {
    const token = await this.token();
    try {
      return await work(token);
    } catch (err) {
      if (!(err instanceof Refusal) || err.status !== 401) throw err;
      return work(await this.token(true));
    }
  }

  /** Fetches a file as whoever is signed in. */
  async download(path: string): Promise<Blob> {
    return (await this.answer(path)).blob();
  }

  /** Sends one request as whoever is signed in, or a file, and returns the answer as it comes. */
  async answer(path: string, file?: Blob): Promise<Response> {
    const headers = { Authorization: `Bearer ${await this.token()}`, ...(file && { 'Content-Type': file.type }) };
    const answer = await fetch(`/api/v1${path}`, { headers, ...(file && { method: 'POST', body: file }) });
    if (answer.ok) return answer;
    throw new Refusal(answer.status, (await answer.json()) as Problem);
  }

  /** What is thrown when there is no way to the server. */
  unreachable(): Unreachable {
    return new Unreachable(this.#unreachable);
  }

  /** Sends one request as nobody in particular. */
  open<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#send<T>(method, path, body, '');
  }

  /** An access token that is good for a while yet. */
  async token(fresh = false): Promise<string> {
    if (fresh || Date.now() > this.#expires - 60_000) await this.refresh();
    return this.#token;
  }

  /** when the access token ends, in milliseconds since 1970 */
  get expires(): number {
    return this.#expires;
  }

  /** Gets a new access token. Of several tabs one does so at a time: the cookie is good once. */
  refresh(): Promise<Signed<Me>> {
    this.#refreshing ??= this.#alone(() => this.#refresh()).finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Runs one work at a time: in all tabs, or in this one where browsers do not trust the page with locks. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    if ('locks' in navigator) return navigator.locks.request('unhidra.refresh', work) as Promise<T>;
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #refresh(): Promise<Signed<Me>> {
    for (let tries = 0; ; tries++) {
      try {
        const signed = this.keep(await this.open<Signed<Me>>('POST', '/auth/refresh', {}));
        this.onRefresh(signed);
        return signed;
      } catch (err) {
        if (err instanceof Refusal && err.code === 'refresh_raced' && tries < 3) {
          await new Promise((done) => setTimeout(done, 300));
          continue;
        }
        if (err instanceof Refusal && err.status === 401) this.forget(err);
        throw err;
      }
    }
  }

  /** Takes over what a sign-in gave. */
  keep(s: Signed<Me>): Signed<Me> {
    this.#token = s.access_token;
    // By the lifetime: the clock here may be minutes ahead of the server's.
    this.#expires = Date.now() + s.expires_in * 1000;
    storage.set(hint, '1');
    return s;
  }

  /** Forgets who was signed in; by: what the server said that ended it. */
  forget(by?: Refusal): void {
    this.#token = '';
    this.#expires = 0;
    storage.remove(hint);
    this.onEnd(by);
  }

  async #send<T>(method: string, path: string, body: unknown, token: string): Promise<T> {
    const headers: Record<string, string> = {};
    if (token) headers['Authorization'] = `Bearer ${token}`;
    let payload: BodyInit | null = null;
    if (body instanceof Blob) {
      headers['Content-Type'] = body.type;
      payload = body;
    } else if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
      payload = JSON.stringify(body);
    }
    const traced = path === reports ? undefined : this.tracing.begin(`${method} ${part(path)}`);
    if (traced) headers['traceparent'] = traced.traceparent;
    let answer: Response;
    try {
      answer = await fetch(`/api/v1${path}`, { method, headers, body: payload });
      traced?.end(answer.status >= 500);
    } catch {
      traced?.end(true);
      throw this.unreachable();
    }
    const text = await answer.text();
    const json: unknown = text && /json/.test(answer.headers.get('Content-Type') ?? '') ? JSON.parse(text) : undefined;
    if (answer.ok) return json as T;
    throw new Refusal(answer.status, (json ?? {}) as Problem, Number(answer.headers.get('Retry-After') ?? 0));
  }
}

/** The first part of a path, which names no room and nobody. */
function part(path: string): string {
  return /^\/([a-z_]+)/.exec(path)?.[1] ?? 'other';
}
