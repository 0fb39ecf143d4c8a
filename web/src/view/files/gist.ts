import { plain } from '../room/markdown';
import type { Message } from '../types';

/** What a message says, in one line: of one without a text, what its files are called. */
export const gist = (m: Pick<Message, 'text' | 'files'>): string =>
  plain(m.text) || (m.files ?? []).map((f) => f.name).join(', ');
