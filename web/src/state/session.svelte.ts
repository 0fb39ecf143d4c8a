// Who is here: a visitor, or somebody who is signed in.

import { Api, Refusal, type Signed } from '../net/api';
import { withProof } from '../net/proof';
import { rightAddress } from '../platform/address';
import type { Challenge } from '../platform/captcha';
import { showPasskey, type Ceremony } from '../platform/passkey';
import { storage } from '../platform/storage.svelte';
import type { Invitation, MailLink, Registration, Server, Session, Step } from '../view/port';
import type { Me, RoomState } from '../view/types';
import type { Administration } from './administration';
import { SignedIn } from './app.svelte';
import { asker, type Asker } from './asker';
import { Devices } from './devices';
import type { Kept, Snapshot } from './kept';
import { Security } from './security';
import { forgetUnsent } from './unsent';

const again = 3_000;
const patience = 3_000; // for the server, where there is something to show without it

interface ServerInfo {
  name: string;
  url: string;
  registration: Server['registration'];
  setup_required: boolean;
  mail: boolean;
  passkeys: boolean;
  link_previews: boolean;
  providers?: Server['providers'];
  mqtt?: { host?: string; port: number; tls: boolean; local: boolean };
}

const linkPaths: Record<MailLink, string> = {
  verify: '/auth/email/verify',
  unlock: '/auth/unlock',
  'confirm-email': '/auth/email/confirm',
  'undo-email': '/auth/email/undo',
  unsubscribe: '/notifications/digest/unsubscribe',
};

export class Visit implements Session {
  readonly #api: Api<Me>;
  readonly #words: (err: unknown) => string;
  #stage: Session['stage'] = $state('starting');
  #server: Server = $state.raw({
    name: '',
    registration: 'open',
    setup: false,
    mail: false,
    passkeys: false,
    previews: false,
    providers: [],
  });
  #elsewhere: string | undefined = $state();
  #ended = $state(false);
  #endedBy: Refusal | undefined = $state.raw();
  #me = ''; // who is signed in
  #away = false; // what is shown was kept: the server has not said yet who is signed in
  #kept: Promise<Kept | undefined> | undefined;
  #app: SignedIn | undefined = $state.raw();
  #security: Security | undefined = $state.raw();
  #administration: (() => Promise<Administration>) | undefined = $state.raw();
  #devices: Devices | undefined = $state.raw();
  #confirming: ((done: boolean) => void) | undefined = $state.raw();

  /** unreachable: what to say when there is no way to the server; words: what to say of a failure */
  constructor(unreachable: string, words: (err: unknown) => string) {
    this.#api = new Api<Me>(unreachable);
    this.#api.onEnd = (by) => this.#end(true, by);
    this.#api.onRefresh = (s) => this.#away && this.#back(s);
    this.#words = words;
    void this.#start();
  }

  get stage() {
    return this.#stage;
  }
  get server() {
    return this.#server;
  }
  get elsewhere() {
    return this.#elsewhere;
  }
  get ended() {
    return this.#ended;
  }
  get endedBy() {
    return this.#endedBy;
  }
  get app() {
    return this.#app;
  }
  get security() {
    return this.#security;
  }
  get administration() {
    return this.#administration;
  }
  get devices() {
    return this.#devices;
  }
  get confirming() {
    return this.#confirming;
  }

  async #start(): Promise<void> {
    const slow = setTimeout(() => void this.#showKept(), patience);
    try {
      await this.#ask();
      if (this.#api.hinted) this.#enter(await this.#api.refresh());
      else this.#stage = 'out';
    } catch (err) {
      // A server that is busy or about to stop has ended nothing.
      const ended = err instanceof Refusal && err.status < 500 && err.status !== 429;
      if (ended) this.#stage = 'out';
      else if (!(await this.#showKept())) {
        this.#stage = 'unreachable';
        setTimeout(() => void this.#start(), again);
      }
    } finally {
      clearTimeout(slow);
    }
  }

  /** Shows what was kept of whoever was signed in here; from then on the connection tries to reach the server. */
  async #showKept(): Promise<boolean> {
    if (this.#app || !this.#api.hinted) return this.#app !== undefined;
    const was = await import('./kept').then((made) => made.last()).catch(() => undefined);
    if (!was || this.#app || (this.#stage !== 'starting' && this.#stage !== 'unreachable'))
      return this.#app !== undefined;
    this.#away = true;
    this.#server = was.server;
    this.#me = was.me.id;
    this.#open(was.me, was);
    return true;
  }

  /** The server has said who is signed in, while somebody looks at what was kept. */
  #back(s: Signed<Me>): void {
    this.#away = false;
    if (s.me.id !== this.#me || s.limited) this.#drop();
    this.#enter(s);
    const ask = () => this.#ask().then(() => this.#app && (this.#app.server = this.#server));
    void ask().catch(() => setTimeout(() => void ask().catch(() => {}), again));
  }

  async #ask(): Promise<void> {
    const s = await this.#api.open<ServerInfo>('GET', '/server');
    this.#elsewhere = rightAddress(s.url);
    this.#server = {
      name: s.name,
      registration: s.registration,
      setup: s.setup_required,
      mail: s.mail,
      passkeys: s.passkeys,
      previews: s.link_previews,
      providers: s.providers ?? [],
      mqtt: s.mqtt,
    };
  }

  #enter(s: Signed<Me>): void {
    this.#api.keep(s);
    this.#away = false;
    this.#ended = false;
    this.#endedBy = undefined;
    this.#me = s.me.id;
    // Whoever comes after somebody else finds nothing of theirs, whether they may go on or not.
    this.#kept = import('./kept').then((made) => made.begin(s.me.id)).catch(() => undefined);
    if (s.limited) {
      this.#secure();
      this.#stage = 'limited';
      return;
    }
    this.#open(s.me);
    this.#app?.keepIn(this.#kept);
  }

  #secure(): Asker {
    const ask = asker(() => this.#confirm());
    this.#security ??= new Security(
      this.#api,
      ask,
      (next) => this.#renewed(next),
      () => this.#left(),
    );
    return ask;
  }

  /** Makes what is behind the views; was: what was kept, as long as the server has not said anything. */
  #open(me: Me, was?: Snapshot): void {
    const ask = this.#secure();
    this.#administration ??= async () => new (await import('./administration')).Administration(this.#api, ask);
    this.#devices ??= new Devices(this.#api);
    this.#app ??= new SignedIn(this.#api, me, this.#server, this.#words, () => this.signOut(), was);
    this.#stage = 'in';
  }

  /** Takes new tokens over; whoever had to add a second factor may have done so. */
  #renewed(s: Signed<Me>): void {
    this.#api.keep(s);
    if (this.#stage === 'limited') this.#enter(s);
  }

  /** Has the page ask who is there. */
  #confirm(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#confirming = (done) => {
        this.#confirming = undefined;
        resolve(done);
      };
    });
  }

  /** Goes on with what a sign-in led to. */
  #next(s: Signed<Me>): Step | undefined {
    if (s.state === 'second_factor') return { ticket: s.ticket ?? '', methods: s.methods ?? [] };
    this.#enter(s);
    return undefined;
  }

  #end(unasked: boolean, by?: Refusal): void {
    const was = this.#stage === 'in' || this.#stage === 'limited';
    this.#ended = unasked && was;
    this.#endedBy = unasked && by?.code === 'guest_ended' ? by : undefined;
    this.#drop();
    void this.#wipe();
    if (was) this.#stage = 'out';
  }

  /** Lets go of what is behind the views. */
  #drop(): void {
    this.#confirming?.(false);
    this.#app?.close();
    this.#app = undefined;
    this.#security = undefined;
    this.#administration = undefined;
    this.#devices = undefined;
  }

  /** Leaves nothing in this browser of what the rooms showed; if it is somebody else's by now, that is not touched. */
  async #wipe(): Promise<void> {
    void globalThis.caches?.delete('unhidra-shared'); // what another app has shared, and nobody has placed
    const mine = this.#kept;
    this.#kept = undefined;
    try {
      const kept = await mine;
      await (kept ? kept.wipe() : (await import('./kept')).wipe());
    } catch {
      globalThis.indexedDB?.deleteDatabase('unhidra'); // what would empty it could not be loaded
    }
  }

  async signOut(): Promise<void> {
    await this.#api.open('POST', '/auth/sign-out', {});
    this.#left();
  }

  /** Somebody has gone by their own will, and leaves nothing behind in this browser. */
  #left(): void {
    this.#app?.notifications.clear();
    this.#end(false);
    this.#api.forget();
    this.#ended = false;
    forgetUnsent(storage, this.#me);
  }

  async signIn(login: string, password: string): Promise<Step | undefined> {
    return this.#next(await this.#paid('sign_in', '/auth/sign-in', { login, password, client: 'web' }));
  }

  async answer(step: Step, code: string, remember: boolean): Promise<void> {
    this.#next(
      await this.#api.open('POST', '/auth/sign-in/factor', { ticket: step.ticket, code, remember, client: 'web' }),
    );
  }

  async answerByPasskey(step: Step, remember: boolean): Promise<void> {
    const asked = await this.#api.open<Ceremony>('POST', '/auth/sign-in/passkey', { ticket: step.ticket });
    const passkey = await showPasskey(asked);
    this.#next(
      await this.#api.open('POST', '/auth/sign-in/factor', { ticket: step.ticket, passkey, remember, client: 'web' }),
    );
  }

  async passkeySignIn(): Promise<void> {
    const asked = await this.#api.open<Ceremony>('POST', '/auth/passkey');
    const passkey = await showPasskey(asked);
    this.#next(await this.#api.open('POST', '/auth/passkey/finish', { ticket: asked.ticket, passkey, client: 'web' }));
  }

  async provider(id: string): Promise<string> {
    return (await this.#api.open<{ location: string }>('POST', `/auth/provider/${encodeURIComponent(id)}`)).location;
  }

  async providerBack(query: string): Promise<Step | undefined> {
    const s = await this.#api.open<Signed<Me>>('POST', '/auth/provider', { query, client: 'web' });
    return s.access_token || s.ticket ? this.#next(s) : undefined; // an account was linked by somebody who is signed in
  }

  async register(a: Registration): Promise<boolean> {
    const s = await this.#paid('register', '/auth/register', { ...a, client: 'web' });
    if (s.state === 'verify_email') return true;
    this.#enter(s);
    return false;
  }

  resend(email: string): Promise<void> {
    return this.#api.open('POST', '/auth/email/resend', { email });
  }

  async forgot(login: string): Promise<void> {
    await this.#paid('reset', '/auth/password/forgot', { login });
  }

  reset(token: string, password: string): Promise<void> {
    return this.#api.open('POST', '/auth/password/reset', { token, password });
  }

  use(link: MailLink, token: string): Promise<void> {
    // That path is for mail programs, too: it has the token in its query, and its body says nothing.
    if (link === 'unsubscribe') return this.#api.open('POST', `${linkPaths[link]}?token=${encodeURIComponent(token)}`, {});
    return this.#api.open('POST', linkPaths[link], { token });
  }

  /** Sends a form, with a proof of work if the server asks for one. */
  #paid(action: string, path: string, form: object): Promise<Signed<Me>> {
    return withProof(
      (captcha) => this.#api.open('POST', path, captcha === undefined ? form : { ...form, captcha }),
      async () => {
        const asked = await this.#api.open<{ challenge?: Challenge }>('GET', `/auth/captcha?action=${action}`);
        return asked.challenge && (await import('../platform/captcha')).solveCaptcha(asked.challenge);
      },
    );
  }

  invitation(code: string): Promise<Invitation> {
    return this.#api.call('GET', `/invites/${encodeURIComponent(code)}`);
  }

  async accept(code: string): Promise<string> {
    return (await this.#api.call<RoomState>('POST', `/invites/${encodeURIComponent(code)}/accept`)).id;
  }
}
