// The catalogue of events as this client knows it. The server's is the one that counts:
// TestWebEvents holds both to be the same.

import type {
  AlarmLine,
  BatchLine,
  ChartLine,
  CommandLine,
  Event,
  KeepOf,
  PollVotes,
  RolloutLine,
  RoomLook,
  Screening,
} from './types';

/** What an event of each type says beside its subject and its message. */
export interface Details {
  'room.created': { name?: string; topic?: string; kind?: string };
  'room.updated': {
    name?: string;
    topic?: string;
    kind?: string;
    archived?: boolean;
    retention?: KeepOf;
    held?: boolean;
    previews?: boolean;
    hides_history?: boolean;
    look?: RoomLook;
    screening?: Screening;
  };
  'member.joined': { role?: string; invite?: string };
  'member.left': object;
  'member.kicked': { reason?: string };
  'member.banned': { role?: string; reason?: string };
  'member.unbanned': object;
  'member.muted': { until?: string };
  'member.role': { role?: string };
  'message.created': object;
  'message.edited': object;
  'message.deleted': object;
  'message.previewed': object;
  'message.flagged': object;
  'alarm.raised': { alarm?: AlarmLine };
  'alarm.cleared': { of?: number; alarm?: AlarmLine };
  'alarm.acknowledged': { of?: number; alarm?: AlarmLine };
  'alarm.escalated': { user?: string; alarm?: AlarmLine };
  'chart.posted': { chart?: ChartLine };
  'rollout.told': { rollout?: RolloutLine };
  'group.commanded': { batch?: BatchLine };
  'group.changed': { of?: number; batch?: BatchLine };
  'reaction.added': { of?: number; emoji?: string };
  'reaction.removed': { of?: number; emoji?: string };
  'message.pinned': { of?: number };
  'message.unpinned': { of?: number };
  'poll.changed': { of?: number; poll?: PollVotes };
  'command.sent': { command?: CommandLine };
  'command.changed': { of?: number; command?: CommandLine };
}

export type EventType = keyof Details;

interface Spec {
  /** a line of its own in the timeline; else it changes the message that it has, or the line that it names */
  line: boolean;
  /** what becomes of its subject's membership */
  moves?: 'joins' | 'leaves';
}

const catalogue = {
  'room.created': { line: true },
  'room.updated': { line: true },
  'member.joined': { line: true, moves: 'joins' },
  'member.left': { line: true, moves: 'leaves' },
  'member.kicked': { line: true, moves: 'leaves' },
  'member.banned': { line: true, moves: 'leaves' },
  'member.unbanned': { line: true },
  'member.muted': { line: true },
  'member.role': { line: true },
  'message.created': { line: true },
  'message.edited': { line: false },
  'message.deleted': { line: false },
  'message.previewed': { line: false },
  'message.flagged': { line: false },
  'alarm.raised': { line: true },
  'alarm.cleared': { line: true },
  'alarm.acknowledged': { line: false },
  'alarm.escalated': { line: true },
  'chart.posted': { line: true },
  'rollout.told': { line: true },
  'group.commanded': { line: true },
  'group.changed': { line: false },
  'reaction.added': { line: false },
  'reaction.removed': { line: false },
  'message.pinned': { line: false },
  'message.unpinned': { line: false },
  'poll.changed': { line: false },
  'command.sent': { line: true },
  'command.changed': { line: false },
} as const satisfies Record<EventType, Spec>;

/** The types that have a line of their own. */
export type LineType = { [T in EventType]: (typeof catalogue)[T]['line'] extends true ? T : never }[EventType];

const specs = new Map<string, Spec>(Object.entries(catalogue));

/** Whether an event has a line of its own. One of a type that is not known here has none if it has an earlier message. */
export const isLine = (e: Event): boolean => specs.get(e.type)?.line ?? (!e.message || e.message.seq === e.seq);

/** What an event makes of its subject's membership. */
export const moves = (e: Event): Spec['moves'] => specs.get(e.type)?.moves;
