// What an event of a room's log makes of the room. Pure: it knows no connection and
// no view.

import { type Details, moves } from '../view/events';
import type { Event, RoomState } from '../view/types';
import { inRoom } from './window';

/** The room after its next event. me: the user whose room it is. Unread counts are not its business. */
export function reduce(room: RoomState, e: Event, me: string): RoomState {
  const next: RoomState = { ...room, head: e.seq };
  const m = e.message;
  const said = e.type === 'message.created' && inRoom(m);
  if (said) next.last_at = e.at; // only messages move a room
  if (m && (said || m.seq === next.last?.seq)) next.last = m;
  describe(next, e, me);
  return next;
}

/** The room once its oldest events, up to a number, are no longer kept. */
export function purge(room: RoomState, floor: number): RoomState {
  const next: RoomState = { ...room, floor };
  if (next.last && next.last.seq <= floor) delete next.last;
  return next;
}

/** Takes over what an event says of its room. */
function describe(room: RoomState, e: Event, me: string): void {
  const d = e.detail ?? {};
  const moved = moves(e);
  if (moved === 'joins') room.members++;
  else if (moved === 'leaves' && (e.type !== 'member.banned' || d.role)) room.members--; // banned without a role: they were not in it
  switch (e.type) {
    case 'room.updated':
      return update(room, d);
    case 'member.role':
      if (e.subject?.id === me && d.role) room.role = d.role;
      return;
    case 'member.muted':
      if (e.subject?.id !== me) return;
      if (d.until) room.muted_until = d.until;
      else delete room.muted_until;
  }
}

function update(room: RoomState, d: Details['room.updated']): void {
  if (d.name !== undefined) room.name = d.name;
  if (d.topic !== undefined) room.topic = d.topic;
  if (d.kind) room.kind = d.kind as RoomState['kind'];
  if (d.archived !== undefined) room.archived = d.archived;
  if (d.previews !== undefined) room.previews = d.previews;
  if (d.hides_history !== undefined) room.hides_history = d.hides_history;
  if (d.look) room.look = d.look;
  if (d.screening) room.screening = d.screening;
  if (d.held !== undefined) room.held = d.held;
  if (d.retention?.server) delete room.retention;
  else if (d.retention) room.retention = d.retention;
}
