// What views ask of the emoji that people added to the server.

import type { User } from './types';

/** An emoji of the server. */
export interface CustomEmoji {
  /** without colons */
  name: string;
  /** where its picture is */
  picture: string;
  /** who added it; guests are not told */
  by?: User;
  created_at: string;
}

export interface EmojiList {
  items: CustomEmoji[];
  /** who is signed in may add some */
  may_add: boolean;
}

/** What the server tells at once. */
export interface EmojiChanged {
  name: string;
  /** absent: it was deleted */
  picture?: string;
}

/** Of a file, in bytes. */
export const mostOfPicture = 256 << 10;

export interface EmojiApi {
  all(): Promise<EmojiList>;
  add(name: string, picture: Blob): Promise<CustomEmoji>;
  remove(name: string): Promise<void>;
}

const name = '[a-z0-9+-][a-z0-9_+-]{0,30}[a-z0-9+-]';
const between = new RegExp(`^:(${name}):$`, 'u');
const within = new RegExp(`:(${name}):`, 'gu');

/** The name in a reaction by an emoji of the server; '' if it is by another one. */
export const nameIn = (emoji: string): string => between.exec(emoji)?.[1] ?? '';

/** Where the name of an emoji between colons ends that begins at a place; that place if there is none. */
export function nameEnd(text: string, from: number): number {
  const found = between.exec(text.slice(from, text.indexOf(':', from + 1) + 1));
  return found ? from + found[0].length : from;
}

/** A text with something else in the place of each name between colons. */
export const replaceNames = (text: string, by: (name: string, written: string) => string): string =>
  text.replace(within, (written: string, found: string) => by(found, written));

/** The name that an emoji could have by the name of its file. */
export const nameOfFile = (file: string): string =>
  file
    .replace(/\.[^.]*$/u, '')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9_+-]+/gu, '_')
    .slice(0, 32)
    .replace(/^_+|_+$/gu, '');
