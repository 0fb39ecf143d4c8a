// What one does with messages, in a room and in a thread beside it.

import { SvelteSet } from 'svelte/reactivity';
import { copyText } from '../../platform/copy';
import { reasonOf } from '../failure';
import { may } from '../permit';
import type { App, PageOf, RoomModel } from '../port';
import { href, placeOf } from '../route.svelte';
import { t, withTexts } from '../text';
import type { Event, Message, Poll, Reaction, RoomState, User } from '../types';
import type { Pins } from '../pinport';
import { overlay } from '../ui.svelte';
import { ticker, type MessageActions, type Save } from './actions';
import { isEditable, lastEditable, type Pending } from './lines';
import type { PollActions } from './PollCard.svelte';
import type { Wishes } from './wishes.svelte';

export interface Place {
  app: App;
  model: RoomModel;
  room: () => RoomState;
  /** begins an answer */
  reply: (m: Message) => void;
  /** opens the thread of a message; absent: it is open */
  thread?: (root: number) => void;
  /** has a message and those after it be unread again; absent: there is no such mark here */
  unread?: (seq: number) => void;
  /** gives the focus back to where one writes */
  write: () => void;
}

export class Doing {
  readonly #p: Place;
  /** number of the message that is being changed */
  editing = $state(0);
  /** messages of blocked people that the user wants to see all the same */
  readonly unfolded = new SvelteSet<number>();
  /** the message that gets an emoji, and beside what that is chosen */
  picking: { of: Message; beside: Element; row: HTMLElement | null } | undefined = $state.raw();
  #pins: Pins | undefined = $state.raw(); // loaded when somebody who may pin looks at what can be done
  #save: ((m: Message) => Save | undefined) | undefined = $state.raw(); // loaded soon
  #wishes: Wishes | undefined = $state.raw(); // what the user wants of reactions; made with the first

  constructor(p: Place) {
    this.#p = p;
    withTexts(import('../saved/saving'), 'saved')
      .then(async ({ saving }) => (this.#save = await saving(p.app, p.room().id)))
      .catch(() => {}); // the next room tries again
  }

  get app(): App {
    return this.#p.app;
  }

  /** Whether a message is folded: its sender is blocked. */
  folds(m: Message): boolean {
    return !m.deleted_at && this.app.people.blocked(m.sender.id) && !this.unfolded.has(m.seq);
  }

  actionsFor(m: Message): MessageActions {
    const { app, model, reply, thread, unread } = this.#p;
    const room = this.#p.room();
    const mine = m.sender.id === app.me.id;
    const open = !room.archived;
    return {
      ...(open && may(room, 'send') && m.seq && {
        react: (emoji: string) => void this.react(m, emoji),
        pick: (beside: Element) => (this.picking = { of: m, beside, row: beside.closest('[data-message]') }),
      }),
      reply: open ? () => reply(m) : undefined,
      thread: m.seq && thread ? () => thread(m.thread ?? m.seq) : undefined,
      unread: m.seq && unread ? () => unread(m.seq) : undefined,
      save: m.seq ? this.#save?.(m) : undefined,
      remind: m.seq ? () => void this.#remind(m) : undefined,
      forward: m.seq ? () => overlay.open({ name: 'forward', of: m }) : undefined,
      poll: m.poll ? this.#pollActions(m, room, open && (mine || may(room, 'deleteAny'))) : undefined,
      ...(m.seq && may(room, 'send') && may(room, 'pin') && {
        pin: { pinned: this.#pins?.has(m.seq), toggle: () => void this.#pin(m.seq) },
        offered: () => void this.#lookUpPins().catch(() => {}), // the next look tries again
      }),
      ...(isEditable(m, app.me.id) && open && may(room, 'send') && {
        edit: () => (this.editing = m.seq),
        tick: ticker(model, m.seq),
      }),
      remove: open && (mine || may(room, 'deleteAny')) ? () => this.#askRemove(m) : undefined,
      copyText: m.text ? () => void copy(m.text, t('message.text-copied')) : undefined,
      copyLink: () => void copy(location.origin + href(placeOf(m)), t('message.link-copied')),
      report: m.seq && !mine ? () => overlay.open({ name: 'report', message: m }) : undefined,
      versions: m.edited_at ? () => overlay.open({ name: 'versions', load: () => model.versions(m.seq) }) : undefined,
    };
  }

  async #lookUpPins(): Promise<Pins> {
    return (this.#pins = await this.#p.model.pins());
  }

  async #remind(m: Message): Promise<void> {
    try {
      const { remindOf } = await withTexts(import('../later/planning'), 'later');
      remindOf(this.#p.app, m);
    } catch (err) {
      overlay.say(reasonOf(err), true);
    }
  }

  async #pin(seq: number): Promise<void> {
    try {
      const [{ togglePin }, pins] = await Promise.all([withTexts(import('./pinning'), 'pin'), this.#lookUpPins()]);
      await togglePin(pins, seq);
    } catch (err) {
      overlay.say(reasonOf(err), true);
    }
  }

  #pollActions({ seq }: Message, room: RoomState, mayClose: boolean): PollActions {
    const { app, model } = this.#p;
    const take = (poll: Poll | undefined) => poll && model.showPoll(seq, poll);
    return {
      vote:
        !room.archived && may(room, 'send')
          ? async (choices) => take(await (await app.api.polls()).vote(room.id, seq, choices))
          : undefined,
      close: mayClose ? async () => take(await (await app.api.polls()).close(room.id, seq)) : undefined,
      load: async () => take(await (await app.api.polls()).load(room.id, seq)),
      voters: async (choice) => (await app.api.polls()).voters(room.id, seq, choice),
    };
  }

  #askRemove(m: Message): void {
    overlay.open({
      name: 'confirm',
      title: t('message.delete-title'),
      text: t('message.delete-text'),
      action: t('message.delete'),
      run: () => this.#p.model.remove(m.seq),
    });
  }

  /** The reactions to a message as the user wants them. */
  reactionsTo(m: Message): readonly Reaction[] {
    return this.#wishes?.of(m) ?? m.reactions ?? [];
  }

  reactors(m: Message, emoji: string): Promise<PageOf<{ user: User }>> {
    return this.#p.model.reactors(m.seq, emoji);
  }

  async react(m: Message, emoji: string): Promise<void> {
    const { app, model } = this.#p;
    try {
      const { Wishes } = await import('./wishes.svelte');
      this.#wishes ??= new Wishes(model, app.me.id, (err) => overlay.say(reasonOf(err), true));
      this.#wishes.toggle(m, emoji);
    } catch (err) {
      overlay.say(reasonOf(err), true);
    }
  }

  picked(emoji: string): void {
    if (this.picking) void this.react(this.picking.of, emoji);
    this.closePicker(true);
  }

  closePicker(back: boolean): void {
    const row = this.picking?.row;
    this.picking = undefined;
    if (back) row?.focus({ preventScroll: true });
  }

  /** Sends what is held back, as when the page goes away. */
  flush(): void {
    this.#wishes?.flush();
  }

  /** Has the last of these be edited that is the user's, and returns it. What is on its way comes first. */
  editLast(events: readonly Event[], pending: readonly Pending[]): Message | undefined {
    if (pending.some((p) => p.state === 'pending')) return void overlay.say(t('message.wait'));
    const last = lastEditable(events, this.app.me.id);
    if (last) this.editing = last.seq;
    return last;
  }

  async save(m: Message, text: string): Promise<void> {
    await this.#p.model.edit(m.seq, text);
    this.doneEditing();
  }

  doneEditing(): void {
    this.editing = 0;
    this.#p.write();
  }

  async card(username: string, anchor: HTMLElement): Promise<void> {
    const { api } = this.#p.app;
    try {
      overlay.card = { user: await api.user(username), anchor };
    } catch (err) {
      // It may be the handle of a user group.
      const group = await api
        .userGroups()
        .then((groups) => groups.one(username))
        .catch(() => undefined);
      if (group) overlay.card = { group, anchor };
      else overlay.say(reasonOf(err), true);
    }
  }

  mentionsMe(m: Message): boolean {
    const me = this.#p.app.me.id;
    return m.sender.id !== me && Boolean(m.mentions_room || m.mentions?.includes(me));
  }
}

async function copy(text: string, said: string): Promise<void> {
  if (await copyText(text)) overlay.say(said);
  else overlay.say(t('copy-failed'), true);
}
