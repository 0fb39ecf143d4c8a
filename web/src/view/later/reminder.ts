import { gist } from '../files/gist';
import type { Reminder } from '../laterport';
import type { People } from '../port';
import { folded } from '../room/folded';

/** What a reminder says: its text, or what its message does. */
export const wordsOf = (app: { people: Pick<People, 'blocked'> }, r: Reminder): string =>
  r.text || (r.message ? gist(folded(app, r.message)) : '');
