import type { ComponentProps } from 'svelte';
import { faceOf, nameOf } from '../roomname';
import { latestFirst } from '../order';
import { href } from '../route.svelte';
import { t } from '../text';
import type { App } from '../port';
import type { Arranged } from '../sectionport';
import type { RoomState } from '../types';
import type { MenuItem } from '../kit/Menu.svelte';
import type RailRow from './RailRow.svelte';

/** One row of the rail: a room, a person, later a device or a model. */
export interface Row extends ComponentProps<typeof RailRow> {
  id: string;
}

/** A section of the rail is data: a new kind of thing is a new entry, not new markup. */
export interface Section {
  id: string;
  label: string;
  rows: Row[];
  closed: boolean;
  ontoggle: () => void;
  /** opens its menu */
  onmenu?: ((anchor: HTMLElement) => void) | undefined;
  /** shown when there are no rows; without it an empty section is left out */
  empty?: string | undefined;
  /** what can be added here */
  add?: { label: string; items: MenuItem[] } | undefined;
}

const byName = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true });

/** The rooms in the order of the rail. */
export interface Order {
  unread: RoomState[];
  /** those of the favourites, and of each section that the user made */
  own: [RoomState[], ...RoomState[][]];
  rooms: RoomState[];
  direct: RoomState[];
}

const named = (a: RoomState, b: RoomState) =>
  Number(a.archived ?? false) - Number(b.archived ?? false) ||
  byName.compare(nameOf(a), nameOf(b)) ||
  latestFirst(a, b);

/** Whether there is something to read in a room; in a muted one only what is meant for the user. */
export const calls = (r: RoomState, muted: ReadonlySet<string>): boolean =>
  muted.has(r.id) ? r.mentions > 0 : r.unread > 0;

/**
 * Puts the rooms in the order of the rail. What the user has put somewhere stays there; the rest is by what is unread,
 * rooms, people.
 */
export function ordered(
  rooms: readonly RoomState[],
  current: string,
  arranged: Arranged,
  muted: ReadonlySet<string>,
): Order {
  // The open room stays where it is, so that it does not jump away when it is read.
  const isUnread = (r: RoomState) => calls(r, muted) && r.id !== current;
  const parts = [arranged.favourites, ...arranged.sections];
  const places = new Map(parts.flatMap((part, i) => part.rooms.map((room) => [room, i] as const)));
  const own = parts.map((_, i) => rooms.filter((r) => places.get(r.id) === i).sort(named));
  const rest = rooms.filter((r) => !places.has(r.id));
  return {
    unread: rest.filter(isUnread).sort((a, b) => Number(b.mentions > 0) - Number(a.mentions > 0) || latestFirst(a, b)),
    own: own as Order['own'],
    rooms: rest.filter((r) => r.kind !== 'direct' && !isUnread(r)).sort(named),
    direct: rest.filter((r) => r.kind === 'direct' && !isUnread(r)).sort(latestFirst),
  };
}

/** The room before or after the current one, in the order of the rail. */
export function steps(
  rooms: readonly RoomState[],
  arranged: Arranged,
  muted: ReadonlySet<string>,
  current: string | undefined,
  by: 1 | -1,
  unreadOnly: boolean,
): string | undefined {
  const o = ordered(rooms, current ?? '', arranged, muted);
  const all = [...o.unread, ...o.own.flat(), ...o.rooms, ...o.direct];
  const n = all.length;
  const at = all.findIndex((r) => r.id === current);
  for (let i = 1; i <= n; i++) {
    const r = all[(at + by * i + (by < 0 && at < 0 ? 1 : 0) + n * 2) % n];
    if (r && r.id !== current && (!unreadOnly || calls(r, muted))) return r.id;
  }
  return undefined;
}

/** A room as a row of the rail. */
export function rowOf(app: App, r: RoomState, current: string): Row {
  const peers = r.kind === 'direct' ? (r.peers ?? []) : [];
  const peer = peers.length === 1 ? peers[0] : undefined;
  const seen = peer && app.people.presence(peer.id);
  return {
    id: r.id,
    href: href({ page: 'room', room: r.id }),
    label: nameOf(r),
    current: r.id === current,
    unread: r.unread,
    mentions: r.mentions,
    face: faceOf(r, app),
    emoji: seen?.emoji,
    note: r.archived ? t('rail.archived') : r.kind === 'private' ? t('rail.private') : undefined,
    muted: app.muted.has(r.id),
    draft: r.id !== current && app.rooms.draftIn(r.id),
  };
}

/** Whether there is something to read in a room, or in its threads. */
export const hasNews = (r: RoomState): boolean => r.unread > 0 || r.mentions > 0 || !!r.threads;

/** Marks all rooms as read, with their threads. */
export function allRead(app: Pick<App, 'rooms'>): void {
  for (const r of app.rooms.list.filter(hasNews)) app.rooms.markRead(r.id);
}
