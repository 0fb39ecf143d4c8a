// What events and answers make of a poll. What is older than what is shown changes nothing, so the log may be replayed
// over a page that is newer than it.

import type { Event, Message, Poll } from '../view/types';

/** The last event about each poll, by the number of its message. */
export type Votes = Map<number, Event>;

/** Notes an event, if it is about a poll. */
export function noteVotes(votes: Votes, e: Event): boolean {
  if (e.type !== 'poll.changed' || !e.detail?.of) return false;
  votes.set(e.detail.of, e);
  return true;
}

/** A message after an event about its poll; me: whoever looks at it. */
export function counted(m: Message, e: Event, me: string): Message {
  const now = e.detail?.poll;
  if (!m.poll || !now || e.seq <= (m.poll.seq ?? 0)) return m;
  const { mine, ...rest } = m.poll;
  const poll: Poll = {
    ...rest,
    choices: rest.choices.map((c, i) => ({ ...c, votes: now.votes[i] ?? 0 })),
    voters: now.voters,
    seq: e.seq,
    ...(now.closed_at && { closed_at: now.closed_at }),
    // A vote of the user, maybe on another device: what it was for is asked.
    ...(mine && e.actor.id !== me && { mine }),
  };
  return { ...m, poll };
}

/** The newer of two states of a poll, with what the user has voted for as `now` says it. */
export function newerPoll(now: Poll | undefined, had: Poll | undefined): Poll | undefined {
  if (!now || !had || (now.seq ?? 0) >= (had.seq ?? 0)) return now && { ...(had?.mine && { mine: had.mine }), ...now };
  return { ...had, ...(now.mine && { mine: now.mine }) };
}
