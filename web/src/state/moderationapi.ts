// Reports of messages, by REST.

import type { Api } from '../net/api';
import type {
  Decision,
  ModerationApi,
  OwnReport,
  PageOf,
  QueuePage,
  ReportedMessage,
  ReportReason,
} from '../view/moderationport';
import type { Me } from '../view/types';

export class Moderation implements ModerationApi {
  readonly #api: Api<Me>;

  constructor(api: Api<Me>) {
    this.#api = api;
  }

  async report(room: string, seq: number, reason: ReportReason, note: string): Promise<void> {
    await this.#api.call('PUT', `/rooms/${room}/messages/${seq}/report`, { reason, ...(note && { note }) });
  }
  own(cursor: string): Promise<PageOf<OwnReport>> {
    return this.#api.call('GET', `/me/reports?${new URLSearchParams({ cursor })}`);
  }
  queue(room: string, cursor: string): Promise<QueuePage<ReportedMessage>> {
    return this.#api.call('GET', `/rooms/${room}/reports?${new URLSearchParams({ cursor })}`);
  }
  async waiting(room: string): Promise<number> {
    const at = room ? `/rooms/${room}` : '/admin';
    return (await this.#api.call<{ waiting: number }>('GET', `${at}/reports?limit=1`)).waiting;
  }
  decide(room: string, seq: number, decision: Decision): Promise<void> {
    return this.#api.call('POST', `/rooms/${room}/reports/${seq}`, { decision });
  }
}
