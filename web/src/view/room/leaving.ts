import { reasonOf } from '../failure';
import type { App } from '../port';
import { nameOf } from '../roomname';
import { router } from '../route.svelte';
import { t } from '../text';
import type { RoomState } from '../types';
import { overlay } from '../ui.svelte';

/** Asks whether the user wants to leave a room. agreed: they do, and are about to. */
export const askLeave = (app: App, room: RoomState, agreed?: () => void): void =>
  overlay.open({
    name: 'confirm',
    title: t('details.leave-title', { room: nameOf(room) }),
    text: t('details.leave-text'),
    action: t('details.leave'),
    run: async () => {
      agreed?.();
      await app.api.leaveRoom(room.id);
      router.go({ page: 'home' }, true);
    },
  });

/** Asks whether the user wants to archive a room, or opens one that is archived again. */
export async function askArchive(app: App, room: RoomState): Promise<void> {
  if (!room.archived)
    return overlay.open({
      name: 'confirm',
      title: t('details.archive-title', { room: nameOf(room) }),
      text: t('details.archive-text'),
      action: t('details.archive'),
      run: () => app.api.updateRoom(room.id, { archived: true }),
    });
  try {
    await app.api.updateRoom(room.id, { archived: false });
  } catch (err) {
    overlay.say(reasonOf(err), true);
  }
}
