import { reasonOf } from './failure';
import type { App } from './port';
import { router } from './route.svelte';
import type { User } from './types';
import { overlay } from './ui.svelte';

/** Opens the direct conversation with somebody. */
export function talk(app: App, user: User): void {
  overlay.card = undefined;
  app.api.direct([user.id]).then(
    (room) => router.go({ page: 'room', room }),
    (err: unknown) => overlay.say(reasonOf(err), true),
  );
}
