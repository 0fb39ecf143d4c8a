// The slash commands of rooms, and what programs answered to the user alone. The server keeps no such answer: it is gone
// with the page.

import type { Api } from '../net/api';
import type { Frame } from '../net/connection';
import type { PageOf } from '../view/port';
import type { Answering, Slash } from '../view/slashport';
import type { Me, SlashAnswer, SlashCommand } from '../view/types';

const freshFor = 30_000;
const keptAnswers = 5; // in a room or thread

export class OwnSlash implements Slash {
  readonly #api: Pick<Api<Me>, 'call'>;
  #asked = new Map<string, { at: number; list: Promise<readonly SlashCommand[]> }>();
  #answers: readonly Answering[] = $state.raw([]);
  #last = 0;

  constructor(api: Pick<Api<Me>, 'call'>) {
    this.#api = api;
  }

  commands(room: string): Promise<readonly SlashCommand[]> {
    const asked = this.#asked.get(room);
    if (asked && Date.now() - asked.at < freshFor) return asked.list;
    const list = this.#api.call<PageOf<SlashCommand>>('GET', `/rooms/${room}/slash-commands`).then((p) => p.items);
    this.#asked.set(room, { at: Date.now(), list });
    list.catch(() => this.#asked.delete(room)); // the next one asks again
    return list;
  }

  async run(room: string, command: string, text: string, thread?: number): Promise<void> {
    const of = { room, command, ...(thread && { thread }) };
    const id = this.#add(of);
    try {
      const body = { command, ...(text && { text }), ...(thread && { thread }) };
      const said = await this.#api.call<{ text?: string }>('POST', `/rooms/${room}/slash-commands/run`, body);
      if (said.text) this.#answers = this.#answers.map((a) => (a.id === id ? { ...a, text: said.text! } : a));
      else this.dismiss(id);
    } catch (err) {
      this.dismiss(id);
      this.#asked.delete(room); // it may have been removed
      throw err;
    }
  }

  answers(room: string, thread?: number): readonly Answering[] {
    return this.#answers.filter((a) => a.room === room && a.thread === thread);
  }

  dismiss(id: number): void {
    this.#answers = this.#answers.filter((a) => a.id !== id);
  }

  take(f: Frame): void {
    if (f.type === 'slash.answer') this.#add(f.data as SlashAnswer);
  }

  /** A new connection: commands may have changed. */
  hello(): void {
    this.#asked.clear();
  }

  #add(a: Omit<Answering, 'id'>): number {
    const id = ++this.#last;
    const here = this.answers(a.room, a.thread).filter((other) => other.text !== undefined);
    const old = new Set(here.slice(0, Math.max(0, here.length + 1 - keptAnswers)).map((other) => other.id));
    this.#answers = [...this.#answers.filter((other) => !old.has(other.id)), { ...a, id }];
    return id;
  }
}
