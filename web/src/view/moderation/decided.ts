import type { Decided, DeskNews } from '../moderationport';
import type { App } from '../port';
import { nameOf } from '../roomname';
import { href, router, type Route } from '../route.svelte';
import { t } from '../text';
import { overlay } from '../ui.svelte';

/** Tells who reported a message what became of it. */
export function sayDecided(d: Decided): void {
  const show = { label: t('rail.show'), run: () => router.go({ page: 'settings', section: 'reports' }) };
  overlay.say(t(`moderation.your-${d.state}`), false, show);
}

const apart = 60_000; // reports of one queue within that time are told once
const told = new Map<string, number>();

/** Tells who decides that somebody has reported a message, and takes that away once none waits any more. */
export async function sayDesk(app: App, { room, open }: DeskNews): Promise<void> {
  if (!open) {
    if ((await (await app.api.moderation()).waiting(room)) === 0) app.notifications.decided(room);
    return;
  }
  const now = Date.now();
  if (now - (told.get(room) ?? 0) < apart) return;
  told.set(room, now);
  const state = app.rooms.list.find((r) => r.id === room);
  const to: Route = room ? { page: 'room', room, panel: 'reports' } : { page: 'admin', section: 'reports' };
  const words = t(state ? 'moderation.came-in' : 'moderation.came', { room: state ? nameOf(state) : '' });
  if (await app.notifications.reported(room, t('moderation.reports'), words, href(to)))
    overlay.say(words, false, { label: t('rail.show'), run: () => router.go(to) });
}
