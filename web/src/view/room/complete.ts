import { fit } from '../dialog/fuzzy';
import { may } from '../permit';
import type { App, RoomModel } from '../port';
import { t } from '../text';
import type { RoomState } from '../types';
import type { Choice } from './Completion.svelte';
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

/** Offers actions of the devices in the room, and what may follow them. */
async function commands(app: App, room: string, typed: string): Promise<Choice[]> {
  try {
    const { actionsOf, optionsOf } = await import('./slash');
    const actions = actionsOf(await app.fleet.inRoom(room));
    const words = typed.split(' ');
    const last = (words.at(-1) ?? '').toLowerCase();
    if (words.length === 1)
      return actions
        .filter((a) => a.word.toLowerCase().includes(last) && a.word.toLowerCase() !== last)
        .slice(0, most)
        .map((a): Choice => ({
          id: a.word,
          label: `/${a.word}`,
          note: [a.actuator.title, a.device.name].filter(Boolean).join(' · '),
          insert: `/${a.word}`,
          icon: 'device',
        }));
    const action = actions.find((a) => a.word.toLowerCase() === words[0]?.toLowerCase());
    const arg = action?.actuator.args?.[words.length - 2];
    return arg
      ? optionsOf(arg)
          .filter((o) => o.toLowerCase().startsWith(last) && o.toLowerCase() !== last)
          .slice(0, most)
          .map((o): Choice => ({ id: o, label: o, note: arg.title ?? arg.name, insert: o, icon: 'device' }))
      : [];
  } catch {
    return []; // offline: typing goes on without help
  }
}
