import { language } from '../text/language.svelte';
import { t } from './text';
import type { Face } from './kit/face';
import { letterOf } from './kit/hue';
import type { IconName } from './kit/Icon.svelte';
import type { App } from './port';
import type { Room, RoomState } from './types';

/** What of a room its name and its face are made of. */
type Named = Pick<Room, 'id' | 'kind' | 'name' | 'archived' | 'look'> & Pick<Partial<RoomState>, 'peers'>;

/** What a room is called: its name, or the people in it. */
export function nameOf(r: Named): string {
  if (r.kind !== 'direct') return r.name ?? '';
  const peers = r.peers ?? [];
  return peers.length
    ? new Intl.ListFormat(language.locale, { type: 'conjunction' }).format(peers.map((u) => u.display_name))
    : t('room.note-to-self');
}

export function iconOf(r: Room): IconName {
  if (r.archived) return 'archive';
  return { public: 'hash', private: 'lock', direct: 'people' }[r.kind] as IconName;
}

/** What stands for a room: its look, or in a direct conversation the other person; with an app also whether they are there. */
export function faceOf(r: Named, app?: App): Face {
  const { id, look } = r;
  if (r.kind !== 'direct') {
    const badge = r.archived ? 'archive' : r.kind === 'private' ? 'lock' : undefined;
    const name = nameOf(r);
    const letter = letterOf(name);
    return { id, name, square: true, letter, badge, src: look?.avatar, emoji: look?.emoji, colour: look?.colour };
  }
  const [peer, ...more] = r.peers ?? [];
  if (!peer || more.length) return { id, name: nameOf(r) };
  const presence = app && (app.people.presence(peer.id)?.is ?? 'offline');
  return { id: peer.id, name: peer.display_name, src: peer.avatar, presence };
}

/** The room of a name that the user can see. */
export async function roomNamed(app: App, name: string): Promise<Room | undefined> {
  const same = (r: { name?: string }) => r.name?.trim().toLocaleLowerCase() === name.toLocaleLowerCase();
  return app.rooms.list.find(same) ?? (await app.api.publicRooms(name, '')).items.find(same);
}
