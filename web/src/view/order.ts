import type { RoomState } from './types';

/** Orders rooms by their last message, the latest first. No two rooms are equal, so the order never depends on what was before. */
export function latestFirst(a: RoomState, b: RoomState): number {
  return Date.parse(b.last_at) - Date.parse(a.last_at) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
