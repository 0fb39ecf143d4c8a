import type { Fleet } from '../fleetport';
import { router } from '../route.svelte';
import { t } from '../text';
import { overlay } from '../ui.svelte';
import { untilOnline, type Before } from './online';

/** Seconds that the token of a board is good that is set up now. */
export const life = 900;

const patience = 90_000; // milliseconds until it is said what to look at

/** What is told of a board that was set up and does not come: why its token was refused, or that it takes long. */
export interface Coming {
  refused(text: string): void;
  /** false: it is waited for no longer */
  late(): boolean;
}

/** Waits for a board that was set up, and goes to its page. */
export async function come(fleet: Fleet, was: Before, signal: AbortSignal, to: Coming): Promise<void> {
  for (;;) {
    const outcome = await untilOnline(fleet, was, patience, signal);
    if (signal.aborted) return;
    if (outcome === 'online') {
      overlay.say(t('board.online', { name: was.device.name }));
      return router.go({ page: 'devices', id: was.device.id });
    }
    if (outcome !== 'late') return to.refused(t(`board.${outcome}`));
    if (!to.late()) return;
  }
}
