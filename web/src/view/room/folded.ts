import type { People } from '../port';
import { t } from '../text';
import type { Message } from '../types';

/** A message for a list: without what it says if its sender is blocked. */
export function folded(app: { people: Pick<People, 'blocked'> }, m: Message): Message {
  if (m.deleted_at || !app.people.blocked(m.sender.id)) return m;
  const shown = { ...m, text: t('message.blocked') };
  delete shown.files;
  return shown;
}
