import type { Pins } from '../pinport';
import { t } from '../text';
import { overlay } from '../ui.svelte';

/** Pins a message, or takes it off the pinned ones, and says so. */
export async function togglePin(pins: Pins, seq: number): Promise<void> {
  if (pins.has(seq) === undefined) await pins.load();
  const pinned = pins.has(seq);
  if (pinned === undefined) return overlay.say(pins.error, true);
  await pins.set(seq, !pinned);
  overlay.say(t(pinned ? 'pin.unpinned' : 'pin.pinned'));
}
