// What one does with the sections of the list of rooms. Each function returns how they are arranged then.

import type { Arranged, RoomGroup, RoomSection } from '../sectionport';

/** a part of the list: the favourites, a section by its name, or '' for neither */
export type Part = { favourites: true } | { section: string } | undefined;

export const maxSections = 50;
export const maxName = 40;

const folded = (name: string) => name.trim().toLowerCase();

/** Whether the name is that of another section already. */
export const taken = (a: Arranged, name: string, but?: string): boolean =>
  a.sections.some((s) => folded(s.name) === folded(name) && s.name !== but);

/** The part that has a room. */
export function partOf(a: Arranged, room: string): Part {
  if (a.favourites.rooms.includes(room)) return { favourites: true };
  const section = a.sections.find((s) => s.rooms.includes(room));
  return section && { section: section.name };
}

/**
 * Puts a room into a part, and out of the one that had it. A section that is there no more leaves the room where it is.
 */
export function put(a: Arranged, room: string, to: Part): Arranged {
  if (to && 'section' in to && !a.sections.some((s) => s.name === to.section)) return a;
  const only = <T extends RoomGroup>(group: T, has: boolean): T => {
    const rest = group.rooms.filter((r) => r !== room);
    return { ...group, rooms: has ? [...rest, room] : rest };
  };
  return {
    ...a,
    favourites: only(a.favourites, Boolean(to && 'favourites' in to)),
    sections: a.sections.map((s) => only(s, Boolean(to && 'section' in to && to.section === s.name))),
  };
}

/** Adds a section, after the others. One of this name may be there already. */
export function add(a: Arranged, name: string): Arranged {
  if (taken(a, name) || a.sections.length >= maxSections) return a;
  return { ...a, sections: [...a.sections, { name: name.trim(), rooms: [] }] };
}

const change = (a: Arranged, name: string, by: (s: RoomSection) => RoomSection): Arranged => ({
  ...a,
  sections: a.sections.map((s) => (s.name === name ? by(s) : s)),
});

export const rename = (a: Arranged, from: string, to: string): Arranged =>
  taken(a, to, from) ? a : change(a, from, (s) => ({ ...s, name: to.trim() }));

/** Takes a section away. Its rooms are in none then. */
export const remove = (a: Arranged, name: string): Arranged => ({
  ...a,
  sections: a.sections.filter((s) => s.name !== name),
});

/** Moves a section up or down among the others. */
export function move(a: Arranged, name: string, by: 1 | -1): Arranged {
  const sections = [...a.sections];
  const at = sections.findIndex((s) => s.name === name);
  const [one] = sections.splice(at, at < 0 ? 0 : 1);
  if (!one) return a;
  sections.splice(Math.max(0, at + by), 0, one);
  return { ...a, sections };
}

/** Puts the rooms of a part away, or shows them. */
export function close(a: Arranged, part: Part, closed: boolean): Arranged {
  if (!part) return a;
  if ('favourites' in part) return { ...a, favourites: { ...a.favourites, closed } };
  return change(a, part.section, (s) => ({ ...s, closed }));
}

/** Brings a section back that was taken away. Rooms that are in another part since then stay there. */
export function restore(a: Arranged, section: RoomSection, at: number): Arranged {
  if (taken(a, section.name) || a.sections.length >= maxSections) return a;
  const sections = [...a.sections];
  sections.splice(at, 0, { ...section, rooms: section.rooms.filter((room) => !partOf(a, room)) });
  return { ...a, sections };
}
