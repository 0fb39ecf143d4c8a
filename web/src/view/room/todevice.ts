import { reasonOf } from '../failure';
import type { FleetDevice } from '../fleetport';
import type { App, RoomModel } from '../port';
import { t } from '../text';
import { overlay } from '../ui.svelte';
import type { NotACommand } from './slash';

/**
 * Tells a device in the room to do what a text says. It returns false if the text is no command:
 * then it is a message. A text that cannot be carried out stays where it was typed.
 */
export async function toDevice(app: App, model: RoomModel, room: string, text: string): Promise<boolean> {
  try {
    return await tell(app, model, room, text);
  } catch (err) {
    overlay.say(reasonOf(err), true);
  }
  return true;
}

async function tell(app: App, model: RoomModel, room: string, text: string): Promise<boolean> {
  const charts = await import('./chartcommand');
  if (charts.wantsChart(text)) {
    const devices = await app.fleet.inRoom(room);
    return devices.length > 0 && (await chart(app, model, room, text, devices));
  }
  const { actionsOf, parse, NotACommand } = await import('./slash');
  const actions = actionsOf(await app.fleet.inRoom(room));
  let parsed;
  try {
    parsed = parse(text, actions);
  } catch (err) {
    if (!(err instanceof NotACommand)) throw err;
    overlay.say(whyNot(err), true);
    return true;
  }
  if (!parsed) return false;
  const { action, args } = parsed;
  const { device, actuator } = action;
  const run = async () => {
    await app.fleet.command(device.id, actuator.name, args, Boolean(actuator.destructive), room);
    if (model.draft === text) model.draft = '';
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
async function chart(app: App, model: RoomModel, room: string, text: string, devices: readonly FleetDevice[]) {
  const { chartOf, NoChart } = await import('./chartcommand');
  try {
    const wish = chartOf(text, devices);
    await app.fleet.postChart(room, wish.device.id, wish.series, wish.span);
    if (model.draft === text) model.draft = '';
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
