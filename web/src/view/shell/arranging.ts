import { copyText } from '../../platform/copy';
import { reasonOf } from '../failure';
import type { App } from '../port';
import { nameOf } from '../roomname';
import type { Arranged } from '../sectionport';
import { href } from '../route.svelte';
import { t, withTexts } from '../text';
import type { RoomState } from '../types';
import { overlay } from '../ui.svelte';
import * as by from './arrange';

/** Arranges the rooms otherwise, and says why if it cannot. */
export async function arrange(app: App, change: (now: Arranged) => Arranged): Promise<boolean> {
  try {
    const { sections } = await app.personal();
    await sections.change(change);
    return true;
  } catch (err) {
    overlay.say(reasonOf(err), true);
    return false;
  }
}

/** Adds a room to the favourites, or takes it off. */
export async function favour(app: App, room: RoomState): Promise<void> {
  const add = !app.arranged.favourites.rooms.includes(room.id);
  if (await arrange(app, (a) => by.put(a, room.id, add ? { favourites: true } : undefined)))
    overlay.say(t(add ? 'sections.favoured' : 'sections.unfavoured', { room: nameOf(room) }));
}

/** Has the user told nothing of a room, or again what their account says. */
export async function mute(app: App, room: RoomState): Promise<void> {
  const on = !app.muted.has(room.id);
  try {
    const model = await app.notifyModel();
    if (!model.now) await model.load();
    await model.choose({ room: room.id, ...(on && { level: 'nothing' }) });
    overlay.say(t(on ? 'sections.muted' : 'sections.unmuted', { room: nameOf(room) }));
  } catch (err) {
    overlay.say(reasonOf(err), true);
  }
}

/** Puts the address of a room on the clipboard. */
export async function copyLink(room: RoomState): Promise<void> {
  const done = await copyText(location.origin + href({ page: 'room', room: room.id }));
  overlay.say(t(done ? 'message.link-copied' : 'copy-failed'), !done);
}

/** Asks whether the user wants to leave a room. */
export async function leave(app: App, room: RoomState): Promise<void> {
  try {
    const { askLeave } = await withTexts(import('../room/leaving'), 'details');
    askLeave(app, room);
  } catch (err) {
    overlay.say(reasonOf(err), true);
  }
}

/** Has the user told of nothing for an hour, on all their devices, or of all that they want again. */
export async function pause(app: App, on: boolean): Promise<void> {
  try {
    const model = await app.notifyModel();
    if (!model.now) await model.load();
    await model.set({ paused_until: on ? new Date(Date.now() + 3_600_000).toISOString() : undefined });
    const resume = { label: t('sections.undo'), run: () => void pause(app, false) };
    overlay.say(t(on ? 'sections.paused' : 'sections.resumed'), false, on ? resume : undefined);
  } catch (err) {
    overlay.say(reasonOf(err), true);
  }
}

export const close = (app: App, part: by.Part, closed: boolean): Promise<boolean> =>
  arrange(app, (a) => by.close(a, part, closed));

export const move = (app: App, name: string, to: 1 | -1): Promise<boolean> => arrange(app, (a) => by.move(a, name, to));

/** Takes a section away, which can be taken back. */
export async function remove(app: App, name: string): Promise<void> {
  const at = app.arranged.sections.findIndex((s) => s.name === name);
  const section = app.arranged.sections[at];
  if (!section || !(await arrange(app, (a) => by.remove(a, name)))) return;
  const back = () => void arrange(app, (a) => by.restore(a, section, at));
  overlay.say(t('sections.removed', { name }), false, { label: t('sections.undo'), run: back });
}

/** Asks whether the user wants to archive a room, or opens it again. */
export async function archive(app: App, room: RoomState): Promise<void> {
  try {
    const { askArchive } = await withTexts(import('../room/leaving'), 'details');
    await askArchive(app, room);
  } catch (err) {
    overlay.say(reasonOf(err), true);
  }
}
