// The words after a slash that are commands of the room itself, in the order in which they are listed. The ones that
// `unhidra chat` has as well go by the same words there: TestChatWords holds both to be the same.

/** A word and what follows it: nothing, or what a text names. */
export const words = [
  { word: 'me', takes: 'text' },
  { word: 'poll', takes: 'poll' },
  { word: 'topic', takes: 'text' },
  { word: 'invite', takes: 'person' },
  { word: 'join', takes: 'room' },
  { word: 'leave', takes: '' },
  { word: 'mute', takes: '' },
  { word: 'unmute', takes: '' },
  { word: 'shrug', takes: 'text' },
  { word: 'remind', takes: 'when' },
] as const;

export type Word = (typeof words)[number]['word'];

/** Whether a text begins as a command does. A path has another slash, and is none: "/etc/hosts". */
export const isCommand = (text: string): boolean => /^\/[\p{L}\p{N}][^\s/]*(?:\s|$)/u.test(text);

/** A text that begins with two slashes, or is no command, without the first of the two. */
export const unescaped = (text: string): string => (text.startsWith('//') ? text.slice(1) : text);

/** The word of a text, and what follows it. */
export function splitWord(text: string): { word: string; rest: string } {
  const [, word = '', rest = ''] = /^\/(\S*)\s*([\s\S]*)$/u.exec(text) ?? [];
  return { word: word.toLowerCase(), rest: rest.trim() };
}
