// What has something done later, of a message or of what somebody writes.

import type { App } from '../port';
import { t } from '../text';
import type { Message } from '../types';
import { overlay } from '../ui.svelte';
import { dateTimeOf } from '../when';
import { rhythmOf } from './rhythm';

/** Asks when a text is to be sent. sent: it is in good hands by then. */
export function sendLater(app: App, room: string, thread: number | undefined, text: string, sent: () => void): void {
  overlay.open({
    name: 'later',
    what: 'send',
    run: async (when) => {
      await (await app.personal()).later.schedule(room, thread, text, when);
      sent();
      overlay.say(t('later.scheduled', { when: when.repeat ? rhythmOf(when.repeat) : dateTimeOf(when.at) }));
    },
  });
}

/** Asks when somebody wants to be reminded of a message. */
export function remindOf(app: App, m: Message): void {
  overlay.open({
    name: 'later',
    what: 'remind',
    run: async ({ at }) => {
      await (await app.personal()).later.remind({ room: m.room, seq: m.seq }, { at });
      overlay.say(t('later.reminded', { when: dateTimeOf(at) }));
    },
  });
}

/** Asks what somebody wants to be reminded of, and when. */
export function remindLater(app: App): void {
  overlay.open({
    name: 'later',
    what: 'new',
    text: '',
    run: async (times, text) => {
      await (await app.personal()).later.remind({ text }, times);
      overlay.say(t('later.reminded', { when: dateTimeOf(times.at) }));
    },
  });
}
