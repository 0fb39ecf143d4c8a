import { language } from '../../text/language.svelte';
import { reasonOf } from '../failure';
import type { App } from '../port';
import { t } from '../text';
import { overlay } from '../ui.svelte';
import { dateTimeOf, fieldOf } from '../when';
import { NoPhrase, readPhrase } from './phrase';
import { rhythmOf } from './rhythm';

/**
 * Has the user be reminded as they typed it, by the clock of this device, and says what was understood, with a way
 * back. It returns why it is refused.
 */
export async function remindAs(app: App, typed: string): Promise<string | undefined> {
  const now = new Date();
  let asked;
  try {
    asked = readPhrase(typed, fieldOf(now), language.locale);
  } catch (err) {
    if (err instanceof NoPhrase) return t(`later.not-${err.reason}`);
    throw err;
  }
  const { text, minutes, at, time, weekdays, month_day } = asked;
  const { timeZone: zone } = Intl.DateTimeFormat().resolvedOptions();
  const { later } = await app.personal();
  const when = at ? new Date(at) : new Date(now.getTime() + (minutes ?? 0) * 60_000);
  const repeat = time && { zone, time, ...(weekdays && { weekdays }), ...(month_day && { month_day }) };
  const made = await later.remind({ text }, repeat ? { repeat } : { at: when });
  const said = t('later.reminds', { text, when: made.repeat ? rhythmOf(made.repeat) : dateTimeOf(made.at ?? when) });
  overlay.say(said, false, {
    label: t('later.undo'),
    run: () =>
      void later.remove(made.id).then(
        () => overlay.say(t('later.undone')),
        (err: unknown) => overlay.say(reasonOf(err), true),
      ),
  });
  return undefined;
}
