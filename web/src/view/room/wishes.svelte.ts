// What the user wants of reactions, before the server has it: shown at once, sent a moment later so that a
// second click takes it back unsent, and undone if it is refused.

import type { RoomModel } from '../port';
import type { Message, Reaction } from '../types';
import { bare, isMine } from './shownemoji';

const hold = 1_000;

interface Wish {
  seq: number;
  emoji: string;
  add: boolean;
  /** it is not sent yet */
  timer?: ReturnType<typeof setTimeout> | undefined;
  /** the event that says so; 0: it is on its way */
  event: number;
}

export class Wishes {
  readonly #model: Pick<RoomModel, 'react'>;
  readonly #me: string;
  readonly #refused: (err: unknown) => void;
  #all: readonly Wish[] = $state.raw([]);
  #queue: Promise<void> = Promise.resolve();

  constructor(model: Pick<RoomModel, 'react'>, me: string, refused: (err: unknown) => void) {
    this.#model = model;
    this.#me = me;
    this.#refused = refused;
  }

  /** The reactions to a message as the user wants them. */
  of(m: Message): readonly Reaction[] {
    const wishes = this.#all.filter((w) => this.#holds(w, m));
    const had = (m.reactions ?? []).map((r) => (isMine(r, this.#me) ? { ...r, mine: true } : r));
    return wishes.reduce(wished, had);
  }

  /** Gives a message an emoji, or takes it back. */
  toggle(m: Message, char: string): void {
    const emoji = bare(char);
    const had = (m.reactions ?? []).some((r) => r.emoji === emoji && isMine(r, this.#me));
    const wish = this.#all.find((w) => w.emoji === emoji && this.#holds(w, m));
    if (wish) this.#drop(wish);
    if (wish?.timer) return clearTimeout(wish.timer);
    const next: Wish = { seq: m.seq, emoji, add: !(wish?.add ?? had), event: 0 };
    next.timer = setTimeout(() => this.#send(next), hold);
    this.#all = [...this.#all, next];
  }

  /** Sends at once what is held back, as when the page goes away. */
  flush(): void {
    for (const w of this.#all) {
      if (!w.timer) continue;
      clearTimeout(w.timer);
      this.#send(w);
    }
  }

  #send(w: Wish): void {
    w.timer = undefined;
    this.#queue = this.#queue
      .then(() => this.#model.react(w.seq, w.emoji, w.add))
      .then((event) => (event ? void (w.event = event) : this.#drop(w)))
      .catch((err: unknown) => {
        this.#drop(w);
        this.#refused(err);
      });
  }

  #drop(w: Wish): void {
    this.#all = this.#all.filter((other) => other !== w);
  }

  /** Whether a wish is about a message that does not have it yet. */
  #holds(w: Wish, m: Message): boolean {
    return w.seq === m.seq && !m.deleted_at && !(w.event && w.event <= (m.reactions_seq ?? 0));
  }
}

function wished(all: Reaction[], w: Wish): Reaction[] {
  const had = all.find((r) => r.emoji === w.emoji);
  if (Boolean(had?.mine) === w.add) return all;
  if (!had) return [...all, { emoji: w.emoji, count: 1, mine: true }];
  const now = { ...had, count: had.count + (w.add ? 1 : -1), mine: w.add };
  return now.count ? all.map((r) => (r === had ? now : r)) : all.filter((r) => r !== had);
}
