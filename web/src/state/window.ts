// The part of a room's timeline that is loaded: a stretch without a hole. All
// functions are pure; what does not fit leaves the window as it was.

import { isLine } from '../view/events';
import { excerptOf } from '../view/files/gist';
import { fromOf } from '../view/room/lines';
import { merged, note, react, type Changes } from './reactions';
import { counted, newerPoll, noteVotes, type Votes } from './polls';
import { answered, keptReplies } from './replies';
import type { AlarmLine, Detail, Event, Message, Poll, User } from '../view/types';

export interface Window {
  readonly events: readonly Event[];
  /** the timeline goes on above */
  readonly older: boolean;
  /** the timeline goes on below */
  readonly newer: boolean;
}

/** A page as the server sends it. */
export interface Page {
  items: Event[];
  prev?: string;
  next?: string;
}

export const empty: Window = { events: [], older: false, newer: false };

/** The first number that is loaded; 0: nothing is. */
export const startOf = (w: Window): number => (w.events[0] ? fromOf(w.events[0]) : 0);

/** The last number that is loaded; 0: nothing is. */
export const endOf = (w: Window): number => w.events.at(-1)?.seq ?? 0;

/** A window of one page. */
export const of = (p: Page): Window => ({ events: p.items, older: p.prev !== undefined, newer: p.next !== undefined });

/** Adds the page of what is before a number, if the window still begins there. */
export function prepend(w: Window, p: Page, before: number): Window {
  if (startOf(w) !== before) return w;
  return { ...w, events: [...p.items, ...w.events], older: p.prev !== undefined };
}

/** Adds the page of what is after a number, if the window still ends there. */
export function append(w: Window, p: Page, after: number): Window {
  if (endOf(w) !== after) return w;
  return { ...w, events: [...w.events, ...p.items], newer: p.next !== undefined };
}

/** Whether a message is a line of its room: a reply in a thread is only if it was sent to the room as well. */
export const inRoom = (m: Message | undefined): boolean => !m?.thread || m.broadcast === true;

/**
 * Takes events of the log, in order, of which none before them is missing. me: whoever looks at it; has: which
 * messages are lines here.
 */
export function apply(w: Window, news: readonly Event[], me = '', has = inRoom): Window {
  let events = w.events;
  let last = endOf(w);
  const lines: Event[] = [];
  const changes = new Map<number, Message>();
  const details = new Map<number, Detail>();
  const alarms = new Map<string, AlarmLine>();
  const reactions: Changes = new Map();
  const votes: Votes = new Map();
  const replies = news.filter((e) => e.type === 'message.created' && e.message?.thread);
  for (const e of news) {
    if (note(reactions, e) || noteVotes(votes, e)) continue;
    const { of, ...now } = e.detail ?? {};
    if (now.alarm) alarms.set(now.alarm.id, now.alarm);
    else if (of) details.set(of, now);
    if (!isLine(e)) {
      if (e.message) changes.set(e.message.seq, e.message);
    } else if (e.seq > last && !w.newer && has(e.message)) {
      lines.push(e);
      last = e.seq;
    }
  }
  if (lines.length) events = [...events, ...lines];
  if (changes.size) events = events.map((e) => changed(e, changes));
  if (details.size) events = events.map((e) => detailed(e, details.get(e.seq)));
  if (replies.length) events = events.map((e) => answered(e, replies));
  if (reactions.size) events = events.map((e) => reactedTo(e, reactions.get(e.seq), me));
  if (votes.size) events = events.map((e) => votedIn(e, votes.get(e.seq), me));
  if (alarms.size) events = events.map((e) => restated(e, alarms));
  return events === w.events ? w : { ...w, events };
}

/** The line of a message with what happened to its reactions. */
function reactedTo(line: Event, news: readonly Event[] | undefined, me: string): Event {
  const had = line.message;
  const message = had && news?.reduce((m, e) => react(m, e, me), had);
  return message && message !== had ? { ...line, message } : line;
}

/** The line of a poll with its votes. */
function votedIn(line: Event, news: Event | undefined, me: string): Event {
  const message = line.message && news && counted(line.message, news, me);
  return message && message !== line.message ? { ...line, message } : line;
}

/** Takes a poll as an answer of the server has it. */
export function polled(w: Window, seq: number, now: Poll): Window {
  const events = w.events.map((e) => {
    const poll = e.message?.seq === seq && newerPoll(now, e.message.poll);
    return poll && e.message ? { ...e, message: { ...e.message, poll } } : e;
  });
  return { ...w, events };
}

/** A line of an alarm, which may have several, as the alarm is now. That it was over stays as it was said. */
function restated(line: Event, alarms: ReadonlyMap<string, AlarmLine>): Event {
  const had = line.detail?.alarm;
  const alarm = had && line.type !== 'alarm.cleared' ? alarms.get(had.id) : undefined;
  return alarm && alarm !== had ? { ...line, detail: { ...line.detail, alarm } } : line;
}

/** A line whose detail has changed: what became of a command. */
const detailed = (line: Event, detail: Detail | undefined): Event => (detail ? { ...line, detail } : line);

/** Takes what is said in the thread of a message, as the server counts it. */
export function recounted(w: Window, now: Message): Window {
  const events = w.events.map((e) => {
    if (e.message?.seq !== now.seq || !e.message) return e;
    const { replies: _, ...rest } = e.message;
    return { ...e, message: { ...rest, ...(now.replies && { replies: now.replies }) } };
  });
  return { ...w, events };
}

/** Calls somebody what they are called now. */
export function renamed(w: Window, u: User): Window {
  const now = <T extends User>(who: T): T => {
    const { avatar: _, ...rest } = who;
    return who.id === u.id
      ? ({ ...rest, display_name: u.display_name, username: u.username, ...(u.avatar && { avatar: u.avatar }) } as T)
      : who;
  };
  const events = w.events.map((e) => {
    if (e.actor.id !== u.id && e.subject?.id !== u.id && e.message?.sender.id !== u.id) return e;
    return {
      ...e,
      actor: now(e.actor),
      ...(e.subject && { subject: now(e.subject) }),
      ...(e.message && { message: { ...e.message, sender: now(e.message.sender) } }),
    };
  });
  return events.some((e, i) => e !== w.events[i]) ? { ...w, events } : w;
}

/** Drops what is no longer kept: all up to a number. */
export function forget(w: Window, floor: number): Window {
  if (!w.events.length || startOf(w) > floor) return w;
  const events = w.events.filter((e) => e.seq > floor).map((e) => shortened(e, floor));
  return { ...w, events, older: false };
}

/** Lets go of the older part of a long window, but for its last n events. */
export function trim(w: Window, n: number): Window {
  return w.events.length <= n ? w : { ...w, events: w.events.slice(-n), older: true };
}

/** Puts what an event stands for in its place; page: the lines right before it. */
export function unfold(w: Window, seq: number, page: Page): Window {
  const i = w.events.findIndex((e) => e.seq === seq);
  const e = w.events[i];
  if (!e?.folded) return w;
  const { from, count } = e.folded;
  const found = page.items.filter((other) => other.seq >= from && other.seq < seq);
  const [first, ...rest] = [...found, { ...e }];
  if (!first) return w;
  delete rest.at(-1)?.folded;
  const whole = page.prev === undefined || page.items.length > found.length;
  const left = whole ? 0 : count - found.length;
  if (left > 0 && found.length) first.folded = { from, count: left };
  else delete first.folded;
  return { ...w, events: [...w.events.slice(0, i), first, ...rest, ...w.events.slice(i + 1)] };
}

/** An event that stands for others of which some are no longer kept; at most so many are left. */
function shortened(e: Event, floor: number): Event {
  if (!e.folded || e.folded.from > floor) return e;
  const { folded, ...bare } = e;
  const count = Math.min(folded.count, e.seq - floor - 1);
  return count > 0 ? { ...bare, folded: { from: floor + 1, count } } : bare;
}

/** A line as it is once messages have changed: the message itself, or a quote of one. */
function changed(line: Event, changes: ReadonlyMap<number, Message>): Event {
  const have = line.message;
  if (!have) return line;
  const now = changes.get(have.seq);
  const quoted = have.reply_to && changes.get(have.reply_to.seq);
  if (!now && !quoted) return line;
  const message = { ...(now && !isOlder(now, have) ? keptPoll(keptReplies(merged(now, have), have), have) : have) };
  const quote = message.reply_to;
  if (quote && quoted) {
    message.reply_to = { ...quote, excerpt: excerptOf(quoted.text) };
    if (quoted.deleted_at) Object.assign(message.reply_to, { deleted: true, excerpt: '' });
  }
  return { ...line, message };
}

/** A newer state of a message with the newer votes of both. */
function keptPoll(now: Message, had: Message): Message {
  const poll = newerPoll(now.poll, had.poll);
  return poll ? { ...now, poll } : now;
}

/** Whether a message is what was before another state of it: a page may be newer than an event that comes after it. */
function isOlder(a: Message, b: Message): boolean {
  return Boolean(b.deleted_at && !a.deleted_at) || (!a.deleted_at && (a.edits ?? 0) < (b.edits ?? 0));
}
