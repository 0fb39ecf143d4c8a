// What the server tells of reports: to those who decide, and to whoever made one.

import type { Frame } from '../net/connection';
import type { Decided, DeskNews, ReportNews } from '../view/moderationport';

interface ReportChanged {
  room: string;
  seq: number;
  state: 'open' | 'kept' | 'removed';
  as: 'reporter' | 'moderator' | 'admin';
  own?: boolean;
}

export class OwnReports implements ReportNews {
  #news = $state(0);
  #decided: Decided | undefined = $state.raw();
  #desk: DeskNews | undefined = $state.raw();

  get news(): number {
    return this.#news;
  }
  get decided() {
    return this.#decided;
  }

  get desk() {
    return this.#desk;
  }

  /** A new connection: what changed meanwhile was not told. */
  hello(): void {
    this.#news++;
  }

  take(f: Frame): void {
    if (f.type !== 'report.changed') return;
    const { room, seq, state, as, own } = f.data as ReportChanged;
    this.#news++;
    if (as !== 'reporter' && !own) this.#desk = { room: as === 'admin' ? '' : room, open: state === 'open' };
    if (as === 'reporter' && state !== 'open') this.#decided = { room, seq, state };
  }
}
