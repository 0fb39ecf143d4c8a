// What administrators do to the server as a whole.

import type { Api } from '../net/api';
import type * as port from '../view/adminport';
import type { ModelAnswer, ModelChange, ModelList, Tensor } from '../view/modelport';
import type { AdminReport, Decision, QueuePage, ReportContext } from '../view/moderationport';
import type { PageOf } from '../view/port';
import type { Me } from '../view/types';
import type { Asker } from './asker';

const enc = encodeURIComponent;
const pageSize = '50';

export class Administration implements port.Administration {
  readonly #api: Api<Me>;
  readonly #ask: Asker;

  constructor(api: Api<Me>, ask: Asker) {
    this.#api = api;
    this.#ask = ask;
  }

  accounts(q: string, role: '' | port.SystemRole, cursor: string): Promise<PageOf<port.Account>> {
    return this.#get(`/users?${new URLSearchParams({ q, role, cursor, limit: pageSize })}`);
  }
  account(id: string): Promise<port.AccountDetail> {
    return this.#get(`/users/${enc(id)}`);
  }
  setRole(id: string, role: port.SystemRole): Promise<void> {
    return this.#do('PATCH', `/users/${enc(id)}`, { role });
  }
  setGuest(id: string, until: Date): Promise<void> {
    return this.#do('PATCH', `/users/${enc(id)}`, { guest_until: until.toISOString() });
  }
  setDisabled(id: string, disabled: boolean): Promise<void> {
    return this.#do('PATCH', `/users/${enc(id)}`, { disabled });
  }
  resetPassword(id: string): Promise<{ mailed: boolean; link?: string }> {
    return this.#do('POST', `/users/${enc(id)}/password`);
  }
  resetFactors(id: string): Promise<void> {
    return this.#do('DELETE', `/users/${enc(id)}/factors`);
  }
  endSession(id: string, session: string): Promise<void> {
    return this.#do('DELETE', `/users/${enc(id)}/sessions/${enc(session)}`);
  }
  endSessions(id: string): Promise<void> {
    return this.#do('DELETE', `/users/${enc(id)}/sessions`);
  }
  deleteAccount(id: string): Promise<void> {
    return this.#do('DELETE', `/users/${enc(id)}`);
  }

  async invites(): Promise<port.ServerInvite[]> {
    return (await this.#get<{ items: port.ServerInvite[] }>('/invites')).items;
  }
  invite(o: port.InviteRequest): Promise<port.ServerInvite> {
    return this.#do('POST', '/invites', o);
  }
  uninvite(id: string): Promise<void> {
    return this.#do('DELETE', `/invites/${enc(id)}`);
  }

  rooms(q: string, order: port.RoomOrder, cursor: string): Promise<PageOf<port.OwnedRoom>> {
    return this.#get(`/rooms?${new URLSearchParams({ q, order, cursor, limit: pageSize })}`);
  }
  archiveRoom(id: string, archived: boolean): Promise<void> {
    return this.#do('PATCH', `/rooms/${enc(id)}`, { archived });
  }
  holdRoom(id: string, held: boolean, reason: string): Promise<void> {
    return this.#do('PUT', `/rooms/${enc(id)}/hold`, { held, reason });
  }
  deleteRoom(id: string): Promise<void> {
    return this.#do('DELETE', `/rooms/${enc(id)}`);
  }

  reports(cursor: string): Promise<QueuePage<AdminReport>> {
    return this.#get(`/reports?${new URLSearchParams({ cursor })}`);
  }
  report(room: string, seq: number): Promise<ReportContext> {
    return this.#get(`/reports/${enc(room)}/${seq}`);
  }
  decideReport(room: string, seq: number, decision: Decision): Promise<void> {
    return this.#do('POST', `/reports/${enc(room)}/${seq}`, { decision });
  }

  audit(f: port.AuditFilter, place: { before?: number; after?: number }): Promise<port.AuditPage> {
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...f, ...place })) if (value) asked.set(name, String(value));
    return this.#get(`/audit?${asked}`);
  }
  verify(): Promise<port.Verdict> {
    return this.#do('POST', '/audit/verify');
  }

  settings(): Promise<port.ServerSettings> {
    return this.#get('/settings');
  }
  setSettings(s: Partial<Record<keyof port.ServerSettings, string | number>>): Promise<port.ServerSettings> {
    return this.#do('PATCH', '/settings', s);
  }
  health(): Promise<port.Health> {
    return this.#get('/health');
  }

  models(): Promise<ModelList> {
    return this.#get('/models');
  }
  changeModel(name: string, change: ModelChange): Promise<void> {
    return this.#do('POST', `/models/${enc(name)}`, change);
  }
  tryModel(name: string, version: number, inputs: Tensor[]): Promise<ModelAnswer> {
    return this.#do('POST', `/models/${enc(name)}/infer`, { version: version || undefined, inputs });
  }

  #get<T>(path: string): Promise<T> {
    return this.#api.call<T>('GET', `/admin${path}`);
  }
  #do<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#ask(() => this.#api.call<T>(method, `/admin${path}`, body));
  }
}
