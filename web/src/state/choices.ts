// What the user wants to be told of, for what the page tells by itself. The server decides on pushes likewise.

import type { Api } from '../net/api';
import type { Chosen } from '../view/notifyport';
import type { Me, Message } from '../view/types';

const freshFor = 60_000; // quiet hours begin and end by themselves

export class Choices {
  readonly #api: Pick<Api<Me>, 'call'>;
  readonly #me: string;
  #now: Chosen | undefined;
  #since = 0;

  constructor(api: Pick<Api<Me>, 'call'>, me: string) {
    this.#api = api;
    this.#me = me;
  }

  /** Takes what was chosen on any device. */
  take(c: Chosen): void {
    this.#now = c;
    this.#since = Date.now();
  }

  /** What was chosen, unless nothing is told now. Fails if it is not known. */
  async #loud(): Promise<Chosen | undefined> {
    if (Date.now() - this.#since > freshFor) {
      try {
        this.take(await this.#api.call<Chosen>('GET', '/notifications'));
      } catch (err) {
        if (!this.#now) throw err;
      }
    }
    return Date.parse(this.#now?.silent_until ?? '') > Date.now() ? undefined : this.#now;
  }

  /** How the user is told of a message. Fails if what they chose is not known. */
  async how(m: Message, direct: boolean, followed: boolean): Promise<'not' | 'hidden' | 'shown'> {
    const c = await this.#loud();
    if (!c || !this.#wanted(c, m, direct, followed)) return 'not';
    return c.hide_text ? 'hidden' : 'shown';
  }

  /** Whether they are told of reports in a room or, without one, of those for administrators. Likewise. */
  async reports(room: string): Promise<boolean> {
    const c = await this.#loud();
    const level = c?.choices.find((x) => x.room === room && !x.thread)?.level ?? c?.level;
    return Boolean(c && !c.mute_reports && level !== 'nothing');
  }

  /** Decides as domain.Addressed does, of what is for the user: what the page alone tells is no more than that. */
  #wanted(c: Chosen, m: Message, direct: boolean, followed: boolean): boolean {
    const of = (thread?: number) => c.choices.find((x) => x.room === m.room && x.thread === thread)?.level;
    const room = of();
    const thread = m.thread ? of(m.thread) : undefined;
    if ((thread ?? room ?? c.level) === 'nothing') return false;
    const mentionsAlone = room === 'mentions' || thread === 'mentions';
    if (direct && (!m.thread || m.broadcast) && !mentionsAlone) return true;
    return Boolean(m.mentions?.includes(this.#me) || (followed && thread !== 'mentions') || m.mentions_room);
  }
}
