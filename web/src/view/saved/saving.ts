// What one does with a message to keep it for oneself.

import { reasonOf } from '../failure';
import type { App } from '../port';
import type { Save } from '../room/actions';
import { t } from '../text';
import type { Message } from '../types';
import { overlay } from '../ui.svelte';

/** What saves a message of a room, or takes it off the saved ones; undefined until it is known which. */
export async function saving(app: App, room: string): Promise<(m: Message) => Save | undefined> {
  const saved = (await app.personal()).saved;
  saved.look(room);
  return (m) => {
    const is = saved.has(room, m.seq);
    if (is === undefined) return undefined;
    const run = async () => {
      try {
        await saved.set(room, m.seq, !is);
        overlay.say(t(is ? 'saved.removed' : 'saved.done'));
      } catch (err) {
        overlay.say(reasonOf(err), true);
      }
    };
    const label = t(is ? 'saved.unsave' : 'saved.save');
    return { label, icon: 'bookmark', mark: is ? t('saved.mark') : '', run: () => void run() };
  };
}
