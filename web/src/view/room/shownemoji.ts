import { storage } from '../../platform/storage.svelte';
import { nameIn } from '../emojiport';
import { serverEmoji } from '../serveremoji.svelte';
import type { Reaction } from '../types';

/** Whether a reaction is one of the user's own. */
export const isMine = (r: Reaction, me: string): boolean => r.mine ?? r.users?.includes(me) ?? false;

/** An emoji in the form that the server keeps: without the selector that shows it as one. */
export const bare = (emoji: string): string => emoji.replaceAll('\ufe0f', '');

/** An emoji without its skin tone. */
export const untoned = (emoji: string): string => emoji.replace(/\p{Emoji_Modifier}/gu, '') || emoji;

// What would be shown as text: an emoji that is not one by itself, unless a tone follows.
const asText = /(?!\p{Emoji_Presentation}|\p{Emoji_Modifier})\p{Emoji}(?!\p{Emoji_Modifier}|\ufe0f)/gu;

/** An emoji as it is shown: with the selector again where it is needed. */
export const shown = (emoji: string): string =>
  nameIn(emoji) ? emoji : bare(emoji).replace(asText, '$&\ufe0f');

/** Where the picture of an emoji is, if it is one that the server has. */
export function pictureOf(emoji: string): string | undefined {
  const name = nameIn(emoji);
  return name ? serverEmoji.picture(name) : undefined;
}

/** Where the emoji that the user took last are kept. */
export const lastTaken = 'unhidra.emoji';

/** Where the skin tone that the user has chosen is kept, and which it is: 0 is none, 5 the darkest. */
export const lastTone = 'unhidra.tone';
export const tone = (): number => Number(storage.get(lastTone) ?? 0);

/** The six emoji that are offered first. */
export function frequent(): string[] {
  const taken = (storage.get(lastTaken) ?? '').split(' ').filter((e) => e && (!nameIn(e) || pictureOf(e)));
  return [...new Set([...taken, ...['👍', '❤️', '😂', '🎉', '👀', '🙏']].map(shown))].slice(0, 6);
}
