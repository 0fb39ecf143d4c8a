// The user's own account, as far as it is about who they are: factors, sessions,
// password. What is dangerous may ask them to confirm first.

import type { Api, Signed } from '../net/api';
import { makePasskey, showPasskey, type Ceremony } from '../platform/passkey';
import type * as port from '../view/port';
import type { Me } from '../view/types';
import type { Asker } from './asker';

type Added = Signed<Me> & { recovery_codes?: string[] };

export class Security implements port.Security {
  readonly #api: Api<Me>;
  readonly #ask: Asker;
  readonly #signed: (s: Signed<Me>) => void;

  readonly #gone: () => void;

  /** signed: takes new tokens over; gone: the account is deleted */
  constructor(api: Api<Me>, ask: Asker, signed: (s: Signed<Me>) => void, gone: () => void) {
    this.#api = api;
    this.#ask = ask;
    this.#signed = signed;
    this.#gone = gone;
  }

  factors(): Promise<port.Factors> {
    return this.#api.call('GET', '/me/factors');
  }

  async sessions(): Promise<port.SessionView[]> {
    return (await this.#api.call<{ items: port.SessionView[] }>('GET', '/me/sessions')).items;
  }

  endSession(id: string): Promise<void> {
    return this.#api.call('DELETE', `/me/sessions/${encodeURIComponent(id)}`);
  }

  endOthers(): Promise<void> {
    return this.#api.call('DELETE', '/me/sessions');
  }

  forgetBrowser(id: string): Promise<void> {
    return this.#api.call('DELETE', `/me/remembered/${encodeURIComponent(id)}`);
  }

  async changePassword(current: string, next: string): Promise<void> {
    this.#signed(
      await this.#proven('POST', '/me/password', { current_password: current, password: next, client: 'web' }),
    );
  }

  async changeEmail(email: string): Promise<boolean> {
    return (await this.#guarded<{ pending: boolean }>('PUT', '/me/email', { email })).pending;
  }

  enrol(): Promise<port.Enrolment> {
    return this.#guarded('POST', '/me/totp');
  }

  async confirmApp(code: string): Promise<string[]> {
    return this.#added(await this.#proven<Added>('POST', '/me/totp/confirm', { code, client: 'web' }));
  }

  removeApp(): Promise<void> {
    return this.#guarded('DELETE', '/me/totp');
  }

  async newCodes(): Promise<string[]> {
    return (await this.#guarded<{ recovery_codes: string[] }>('POST', '/me/recovery-codes')).recovery_codes;
  }

  async addPasskey(name: string): Promise<string[]> {
    const asked = await this.#guarded<Ceremony>('POST', '/me/passkeys');
    const passkey = await makePasskey(asked);
    return this.#added(
      await this.#proven<Added>('POST', '/me/passkeys/finish', { ticket: asked.ticket, name, passkey, client: 'web' }),
    );
  }

  renamePasskey(id: string, name: string): Promise<void> {
    return this.#api.call('PATCH', `/me/passkeys/${encodeURIComponent(id)}`, { name });
  }

  removePasskey(id: string): Promise<void> {
    return this.#guarded('DELETE', `/me/passkeys/${encodeURIComponent(id)}`);
  }

  async exportAll(): Promise<Blob> {
    return this.#ask(() => this.#api.download('/me/export'));
  }

  async deleteAccount(): Promise<void> {
    await this.#guarded('DELETE', '/me');
    this.#gone();
  }

  async stepUp(proof: { password: string; code: string }): Promise<void> {
    this.#signed(
      await this.#api.renew('POST', '/me/step-up', {
        password: proof.password,
        ...(proof.code && { code: proof.code }),
        client: 'web',
      }),
    );
  }

  async stepUpByPasskey(password: string): Promise<void> {
    const asked = await this.#api.call<Ceremony>('POST', '/me/step-up/passkey');
    const passkey = await showPasskey(asked);
    this.#signed(
      await this.#api.renew('POST', '/me/step-up', {
        ticket: asked.ticket,
        passkey,
        ...(password && { password }),
        client: 'web',
      }),
    );
  }

  #added(s: Added): string[] {
    this.#signed(s);
    return s.recovery_codes ?? [];
  }

  #proven<S extends Signed<Me>>(method: string, path: string, body: unknown): Promise<S> {
    return this.#ask(() => this.#api.renew<S>(method, path, body));
  }

  #guarded<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#ask(() => this.#api.call<T>(method, path, body));
  }
}
