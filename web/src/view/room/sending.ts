import { reasonOf } from '../failure';
import type { App } from '../port';
import { withTexts } from '../text';
import type { Message, RoomState } from '../types';
import { overlay } from '../ui.svelte';
import { clean } from './clean';

/** The media type of a message that says what its sender does: "/me waves". */
export const action = 'text/vnd.unhidra.action';

/** The media type of what an assistant wrote, which grows while it comes in. */
export const answer = 'text/vnd.unhidra.answer';

/** What one types to write a message. */
export const typedAs = ({ text, content_type }: Pick<Message, 'text' | 'content_type'>): string =>
  content_type === action ? `/me ${text}` : text.startsWith('/') ? `/${text}` : text;

/** Empties a box whose text is carried out, unless something else is typed in it by now. */
export function empty(into: { draft: string }, text: string): void {
  if (clean(into.draft) === text) into.draft = '';
}

/** Where one writes. */
export interface Place {
  app: App;
  room: () => RoomState;
  into: { draft: string };
  /** number of the message whose thread it is; absent: the room */
  thread?: number;
}

/** What takes a text that was typed: it carries out commands, and posts what is a message. */
export function sender(place: Place, post: (text: string, type?: string) => void): (text: string) => Promise<void> {
  let busy = false; // what the text before asks for is not known yet, or on its way
  return async (text) => {
    if (!text.startsWith('/')) return post(text);
    if (busy) return;
    busy = true;
    try {
      const { carryOut } = await withTexts(import('./roomcommands'), 'typed', 'device');
      const saying = await carryOut({ ...place, room: place.room(), text });
      if (saying) post(saying.say, saying.type);
    } catch (err) {
      overlay.say(reasonOf(err), true);
    }
    busy = false;
  };
}
