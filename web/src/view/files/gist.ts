import { plain } from '../room/markdown';
import type { Message } from '../types';

/** What a message says, in one line: of one without a text, what its files are called. */
export const gist = (m: Pick<Message, 'text' | 'files'>): string =>
  plain(m.text) || (m.files ?? []).map((f) => f.name).join(', ');

/** The beginning of a text, as the server quotes it. A spoiler that would be cut stays one. */
export function excerptOf(text: string): string {
  const cut = text.slice(0, 200);
  if (cut === text || cut.split('||').length % 2 === 1 || !text.includes('||', 199)) return cut;
  return `${text.slice(0, 198).trimEnd()}||`;
}
