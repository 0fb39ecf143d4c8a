import { reasonOf } from '../failure';
import type { Actuator, FleetDevice } from '../fleetport';
import type { App } from '../port';
import { t } from '../text';
import { overlay } from '../ui.svelte';
import { empty } from './sending';
import type { NotACommand } from './slash';

/**
 * Tells a device in the room to do what a text says. It returns false if the text is no command:
 * then it is a message. A text that cannot be carried out stays where it was typed.
 */
export async function toDevice(app: App, into: { draft: string }, room: string, text: string): Promise<boolean> {
  try {
    return await tell(app, into, room, text);
  } catch (err) {
    overlay.say(reasonOf(err), true);
  }
  return true;
}

async function tell(app: App, into: { draft: string }, room: string, text: string): Promise<boolean> {
  const charts = await import('./chartcommand');
  if (charts.wantsChart(text)) {
    const devices = await app.fleet.inRoom(room);
    return devices.length > 0 && (await chart(app, into, room, text, devices));
  }
  const { actionsOf, parse, parseGroup, NotACommand } = await import('./slash');
  const devices = await app.fleet.inRoom(room);
  let actuator: Actuator;
  let send: (confirmed: boolean) => Promise<unknown>;
  try {
    const groups = /^\/\S+\s+@/u.test(text) && devices.length ? await app.fleet.groups() : [];
    const names = groups.map((g) => g.name);
    const toGroup = parseGroup(text, devices, names);
    const toOne = toGroup ? undefined : parse(text, actionsOf(devices));
    if (toGroup) {
      const { group, args } = toGroup;
      actuator = toGroup.actuator;
      send = (confirmed) => app.fleet.tellGroup(group, actuator.name, args, confirmed, room);
    } else if (toOne) {
      const { action, args } = toOne;
      actuator = action.actuator;
      send = (confirmed) => app.fleet.command(action.device.id, actuator.name, args, confirmed, room);
    } else return false;
  } catch (err) {
    if (!(err instanceof NotACommand)) throw err;
    overlay.say(whyNot(err), true);
    return true;
  }
  const run = async () => {
    await send(Boolean(actuator.destructive));
    empty(into, text);
  };
  if (actuator.destructive)
    overlay.open({
      name: 'confirm',
      title: t('command.confirm', { action: actuator.title || actuator.name }),
      text: t('command.confirm-text'),
      action: t('command.run'),
      run,
    });
  else await run();
  return true;
}

/** Posts a chart of a device in the room. */
async function chart(app: App, into: { draft: string }, room: string, text: string, devices: readonly FleetDevice[]) {
  const { chartOf, NoChart } = await import('./chartcommand');
  try {
    const wish = chartOf(text, devices);
    await app.fleet.postChart(room, wish.device.id, wish.series, wish.span);
    empty(into, text);
  } catch (err) {
    if (!(err instanceof NoChart)) throw err;
    overlay.say(t(`slash.chart-${err.reason}`), true);
  }
  return true;
}

function whyNot(err: NotACommand): string {
  const { field } = err;
  const name = field?.title || field?.name || '';
  const options = field?.options?.join(', ') ?? '';
  return t(`slash.${err.reason}`, { name, options });
}
