// Links to places of this server, in messages.

import { parse, type Route } from '../route.svelte';

type Place = Extract<Route, { page: 'room' }>;

/** The place in a room of this server that an address leads to, by the same page. */
export function placeAt(address: string, origin = location.origin): Place | undefined {
  if (!address.startsWith(`${origin}/rooms/`)) return undefined;
  const route = parse(new URL(address));
  return route.page === 'room' && route.write === undefined ? route : undefined;
}

/** The first message of this server that a text links to. */
export function messageAt(text: string, origin = location.origin): { room: string; seq: number } | undefined {
  let from = 0;
  for (;;) {
    const at = text.indexOf(`${origin}/rooms/`, from);
    if (at < 0) return undefined;
    const path = text.slice(at + origin.length, at + origin.length + 80);
    const found = /^\/rooms\/(room_[0-9a-z]+)\/(\d{1,15})(?![\w/-])/u.exec(path);
    if (found?.[1]) return { room: found[1], seq: Number(found[2]) };
    from = at + 1;
  }
}

/** A link to a room, with its name as text whatever is in that. */
export const linkTo = (name: string, address: string): string =>
  `[#${name.replace(/[\\`*_~[\]<>@#|]/gu, '\\$&')}](${address})`;
