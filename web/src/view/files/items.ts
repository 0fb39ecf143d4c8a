import type { MenuItem } from '../kit/Menu.svelte';
import type { Attaching } from '../room/attaching.svelte';
import { t } from '../text';
import { choose } from './choose';

/** The ways to add files to a message. */
export function attachItems(to: Attaching): MenuItem[] {
  const add = (files: File[]) => to.add(files);
  const items: MenuItem[] = [{ label: t('composer.upload'), icon: 'file', run: () => choose(add) }];
  if (matchMedia('(pointer: coarse)').matches)
    items.push({ label: t('composer.camera'), icon: 'camera', run: () => choose(add, true) });
  // Browsers give the microphone only to pages that came by https, or from this machine.
  if (isSecureContext && 'MediaRecorder' in window)
    items.push({ label: t('composer.record'), icon: 'mic', run: () => (to.recording = true) });
  return items;
}
