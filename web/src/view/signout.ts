import { reasonOf } from './failure';
import type { App } from './port';
import { t } from './text';
import { overlay } from './ui.svelte';

/** Signs out; first a question if something was written that would be lost. */
export function signOut(app: App): void {
  const unsent = app.unsent();
  if (unsent === 0) {
    void app.signOut().catch((err: unknown) => overlay.say(reasonOf(err), true));
    return;
  }
  overlay.open({
    name: 'confirm',
    title: t('signout.title'),
    text: t('signout.unsent', { count: unsent }),
    action: t('signout.discard'),
    run: () => app.signOut(),
  });
}
