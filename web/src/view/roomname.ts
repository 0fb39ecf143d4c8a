import { language } from '../text/language.svelte';
import { t } from './text';
import type { IconName } from './kit/Icon.svelte';
import type { App } from './port';
import type { Room, RoomState } from './types';

/** What a room is called: its name, or the people in it. */
export function nameOf(r: Room | RoomState): string {
  if (r.kind !== 'direct') return r.name ?? '';
  const peers = ('peers' in r && r.peers) || [];
  return peers.length
    ? new Intl.ListFormat(language.locale, { type: 'conjunction' }).format(peers.map((u) => u.display_name))
    : t('room.note-to-self');
}

export function iconOf(r: Room): IconName {
  if (r.archived) return 'archive';
  return { public: 'hash', private: 'lock', direct: 'people' }[r.kind] as IconName;
}

/** The room of a name that the user can see. */
export async function roomNamed(app: App, name: string): Promise<Room | undefined> {
  const same = (r: { name?: string }) => r.name?.trim().toLocaleLowerCase() === name.toLocaleLowerCase();
  return app.rooms.list.find(same) ?? (await app.api.publicRooms(name, '')).items.find(same);
}
