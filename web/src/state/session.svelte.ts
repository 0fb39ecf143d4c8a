// Who is here: a visitor, or somebody who is signed in.

import { Api, Refusal, Unreachable, type Signed } from '../net/api';
import { solveCaptcha, type Challenge } from '../platform/captcha';
import type { Invitation, Server, Session } from '../view/port';
import type { Me, RoomState } from '../view/types';
import { SignedIn } from './app.svelte';

const again = 3_000;

interface ServerInfo {
  name: string;
  registration: string;
  setup_required: boolean;
}

export class Visit implements Session {
  readonly #api: Api<Me>;
  readonly #words: (err: unknown) => string;
  #stage: Session['stage'] = $state('starting');
  #server: Server = $state.raw({ name: '', registration: true, setup: false });
  #ended = $state(false);
  #app: SignedIn | undefined = $state.raw();

  /** unreachable: what to say when there is no way to the server; words: what to say of a failure */
  constructor(unreachable: string, words: (err: unknown) => string) {
    this.#api = new Api<Me>(unreachable);
    this.#api.onEnd = () => this.#end(true);
    this.#words = words;
    void this.#start();
  }

  get stage() {
    return this.#stage;
  }
  get server() {
    return this.#server;
  }
  get ended() {
    return this.#ended;
  }
  get app() {
    return this.#app;
  }

  async #start(): Promise<void> {
    try {
      await this.#ask();
      if (this.#api.hinted) this.#enter(await this.#api.refresh());
      else this.#stage = 'out';
    } catch (err) {
      if (err instanceof Unreachable) {
        this.#stage = 'unreachable';
        setTimeout(() => void this.#start(), again);
      } else {
        this.#stage = 'out';
      }
    }
  }

  async #ask(): Promise<void> {
    const s = await this.#api.open<ServerInfo>('GET', '/server');
    this.#server = { name: s.name, registration: s.registration === 'open', setup: s.setup_required };
  }

  #enter(s: Signed<Me>): void {
    this.#api.keep(s);
    this.#ended = false;
    this.#app = new SignedIn(this.#api, s.me, this.#server, this.#words, () => this.#signOut());
    this.#stage = 'in';
  }

  #end(unasked: boolean): void {
    this.#ended = unasked && this.#stage === 'in';
    this.#app?.close();
    this.#app = undefined;
    if (this.#stage === 'in') this.#stage = 'out';
  }

  async #signOut(): Promise<void> {
    await this.#api.open('POST', '/auth/sign-out', {});
    this.#end(false);
    this.#api.forget();
    this.#ended = false;
  }

  async signIn(login: string, password: string): Promise<void> {
    this.#enter(await this.#paid('sign_in', '/auth/sign-in', { login, password, client: 'web' }));
  }

  async register(a: { username: string; display_name: string; email: string; password: string; setup_token?: string }): Promise<void> {
    this.#enter(await this.#paid('register', '/auth/register', { ...a, client: 'web' }));
  }

  /** Sends a form; if the server asks for a proof of work, once more with one. */
  async #paid(action: string, path: string, form: object): Promise<Signed<Me>> {
    try {
      return await this.#api.open('POST', path, form);
    } catch (err) {
      if (!(err instanceof Refusal) || err.code !== 'captcha_required') throw err;
      const asked = await this.#api.open<{ kind: string; challenge?: Challenge }>('GET', `/auth/captcha?action=${action}`);
      if (!asked.challenge) throw err;
      return this.#api.open('POST', path, { ...form, captcha: await solveCaptcha(asked.challenge) });
    }
  }

  invitation(code: string): Promise<Invitation> {
    return this.#api.call('GET', `/invites/${encodeURIComponent(code)}`);
  }

  async accept(code: string): Promise<string> {
    return (await this.#api.call<RoomState>('POST', `/invites/${encodeURIComponent(code)}/accept`)).id;
  }
}
