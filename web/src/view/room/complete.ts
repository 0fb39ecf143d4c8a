import { lengthOf } from '../device/devicestate';
import { fit } from '../dialog/fuzzy';
import type { FleetDevice } from '../fleetport';
import { may } from '../permit';
import type { App, RoomModel } from '../port';
import { t } from '../text';
import type { RoomState } from '../types';
import type { Choice } from './Completion.svelte';
import type { Action } from './slash';
import type { Token } from './token';

const most = 8;

/** Offers members of a room after @, emoji after a colon, and what devices can do after a slash. */
export function completer(app: App, model: RoomModel, room: () => RoomState): (token: Token) => Promise<Choice[]> {
  const by = {
    '@': (typed: string) => people(app, model, room(), typed),
    ':': emoji,
    '/': (typed: string) => commands(app, room().id, typed),
  };
  return ({ kind, typed }) => by[kind](typed);
}

async function people(app: App, model: RoomModel, room: RoomState, typed: string): Promise<Choice[]> {
  const everyone: Choice[] =
    may(room, 'mentionRoom') && 'room'.startsWith(typed.toLowerCase())
      ? [{ id: '@room', label: '@room', note: t('composer.everyone'), insert: '@room' }]
      : [];
  try {
    const page = await model.members(typed, '');
    const found = page.items
      .filter((m) => m.id !== app.me.id)
      .slice(0, most)
      .map((m): Choice => ({
        id: m.id,
        label: m.display_name,
        note: `@${m.username}`,
        insert: `@${m.username}`,
        user: m,
      }));
    return [...found, ...everyone];
  } catch {
    return everyone; // offline: typing goes on without help
  }
}

async function emoji(typed: string): Promise<Choice[]> {
  const { emoji: all } = await import('./emoji');
  if (typed.endsWith(':')) {
    const named = all.find(([, ...names]) => names.includes(typed.slice(0, -1).toLowerCase()));
    return named ? [{ id: named[1] ?? '', label: named[1] ?? '', emoji: named[0], insert: named[0], whole: true }] : [];
  }
  return all
    .map(([char, ...names]) => [Math.max(...names.map((n) => fit(typed, n))), char, names[0] ?? ''] as const)
    .filter(([score]) => score >= 50)
    .sort(([a], [b]) => b - a)
    .slice(0, most)
    .map(([, char, name]): Choice => ({ id: name, label: `:${name}:`, emoji: char, insert: char }));
}

/** Offers a chart, actions of the devices in the room, and what may follow them. */
async function commands(app: App, room: string, typed: string): Promise<Choice[]> {
  try {
    const { actionsOf, optionsOf } = await import('./slash');
    const devices = await app.fleet.inRoom(room);
    const actions = actionsOf(devices);
    const words = typed.split(' ');
    const last = (words.at(-1) ?? '').toLowerCase();
    if (words.length > 1 && words[0]?.toLowerCase() === 'chart') return await chartWords(app, devices, words);
    if (words.length === 1)
      return [
        ...actions.map((a) => offer(`/${a.word}`, [a.actuator.title, a.device.name])),
        ...(devices.length ? [offer('/chart', [t('slash.chart')])] : []),
      ]
        .filter(({ id }) => id.toLowerCase().includes(last) && id.toLowerCase() !== `/${last}`)
        .slice(0, most);
    if (words.length === 2 && last.startsWith('@'))
      return begun((await app.fleet.groups()).map((g) => offer(`@${g.name}`, [])), last);
    const toGroup = words[1]?.startsWith('@');
    const called = (a: Action) => (toGroup ? a.actuator.name : a.word).toLowerCase();
    const action = actions.find((a) => called(a) === words[0]?.toLowerCase());
    const arg = action?.actuator.args?.[words.length - (toGroup ? 3 : 2)];
    return arg ? begun(optionsOf(arg).map((o) => offer(o, [arg.title ?? arg.name])), last) : [];
  } catch {
    return []; // offline: typing goes on without help
  }
}

const offer = (text: string, notes: readonly (string | undefined)[]): Choice => ({
  id: text,
  label: text,
  note: notes.filter(Boolean).join(' · '),
  insert: text,
  icon: 'device',
});

/** Those that begin with what is typed, and go on. */
const begun = (choices: readonly Choice[], last: string): Choice[] =>
  choices.filter(({ id }) => id.toLowerCase().startsWith(last) && id.toLowerCase() !== last).slice(0, most);

/** What may follow "/chart": a device, its series, and a time. */
async function chartWords(app: App, devices: readonly FleetDevice[], words: readonly string[]): Promise<Choice[]> {
  const { wordOf } = await import('./slash');
  const { spanOf } = await import('./chartcommand');
  const last = (words.at(-1) ?? '').toLowerCase();
  const only = devices.length === 1 ? devices[0] : undefined;
  const named = devices.find((d) => wordOf(d.name) === wordOf(words[1] ?? '')) ?? only;
  if (words.length === 2 && devices.length > 1) return begun(devices.map((d) => offer(wordOf(d.name), [])), last);
  const series = named ? await app.fleet.series(named.id) : [];
  const titles = new Map(named?.capabilities?.sensors?.map((s) => [s.name, s.title]));
  const names = series.filter((s) => s.kind !== 'text' && !words.slice(1, -1).includes(s.name));
  const times = ['1h', '24h', '7d', '30d'].map((time) => offer(time, [lengthOf(spanOf(time) ?? 0)]));
  const found = begun([...names.map((s) => offer(s.name, [titles.get(s.name)])), ...times], last);
  return last && !spanOf(last) ? found : found.map((c) => ({ ...c, optional: true }));
}
