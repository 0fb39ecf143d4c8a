import type { Decided } from '../moderationport';
import { router } from '../route.svelte';
import { t } from '../text';
import { overlay } from '../ui.svelte';

/** Tells who reported a message what became of it. */
export function sayDecided(d: Decided): void {
  const show = { label: t('rail.show'), run: () => router.go({ page: 'settings', section: 'reports' }) };
  overlay.say(t(`moderation.your-${d.state}`), false, show);
}
