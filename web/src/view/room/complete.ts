import { lengthOf } from '../device/devicestate';
import { fit } from '../dialog/fuzzy';
import type { FleetDevice } from '../fleetport';
import { may } from '../permit';
import type { App, RoomModel } from '../port';
import { language } from '../../text/language.svelte';
import { t } from '../text';
import { href } from '../route.svelte';
import { serverEmoji } from '../serveremoji.svelte';
import type { RoomState, User } from '../types';
import type { Choice } from './Completion.svelte';
import type { Emoji } from './emoji';
import { linkTo } from './ownlinks';
import { allowed, usageOf } from './roomcommands';
import { tone } from './shownemoji';
import type { Action } from './slash';
import type { Token } from './token';
import { words as roomWords } from './words';

const most = 8;
const mostGroups = 4;
const mostCommands = 40; // the list scrolls

/** Offers members of a room after @, emoji after a colon, and commands after a slash. */
export function completer(app: App, model: RoomModel, room: () => RoomState): (token: Token) => Promise<Choice[]> {
  const by = {
    '@': (typed: string) => people(app, model, room(), typed),
    ':': emoji,
    '#': (typed: string) => rooms(app, typed),
    '/': (typed: string) => commands(app, model, room(), typed),
  };
  return ({ kind, typed }) => by[kind](typed);
}

async function people(app: App, model: RoomModel, room: RoomState, typed: string): Promise<Choice[]> {
  const everyone: Choice[] =
    may(room, 'mentionRoom') && 'room'.startsWith(typed.toLowerCase())
      ? [{ id: '@room', label: '@room', note: t('composer.everyone'), insert: '@room' }]
      : [];
  try {
    const [page, groups] = await Promise.all([model.members(typed, ''), groupChoices(app, typed)]);
    const found = page.items
      .filter((m) => m.id !== app.me.id)
      .slice(0, most)
      .map(personChoice);
    return [...found, ...groups, ...everyone];
  } catch {
    return everyone; // offline: typing goes on without help
  }
}

/** User groups; none if they cannot be asked for. */
async function groupChoices(app: App, typed: string): Promise<Choice[]> {
  const found = await app.api
    .userGroups()
    .then((groups) => groups.begun(typed))
    .catch(() => []);
  return found.slice(0, mostGroups).map((g) => ({
    id: g.id,
    label: g.name,
    note: `@${g.handle} · ${t('usergroup.people', { count: g.size })}`,
    insert: `@${g.handle}`,
    icon: 'people',
  }));
}

const personChoice = (m: User): Choice => ({
  id: m.id,
  label: m.display_name,
  note: `@${m.username}`,
  insert: `@${m.username}`,
  user: m,
});

/** Rooms that others may know: those of the user, and those that are open to everybody. What is inserted is a link. */
async function rooms(app: App, typed: string): Promise<Choice[]> {
  const mine = app.rooms.list.filter((r) => r.kind !== 'direct' && r.name);
  const open = await app.api.publicRooms(typed, '').then(
    (page) => page.items.filter((r) => !mine.some((m) => m.id === r.id)),
    () => [], // offline: those of the user are known
  );
  return [...mine, ...open]
    .map((r) => [fit(typed, r.name ?? ''), r] as const)
    .filter(([score]) => score >= 60)
    .sort(([a], [b]) => b - a)
    .slice(0, most)
    .map(([, r]) => ({
      id: r.id,
      label: `#${r.name ?? ''}`,
      note: r.topic ?? '',
      insert: linkTo(r.name ?? '', location.origin + href({ page: 'room', room: r.id })),
      icon: r.kind === 'private' ? 'lock' : 'hash',
    }));
}

async function emoji(typed: string): Promise<Choice[]> {
  const { fits, groupsIn, toned } = await import('./emoji');
  const all = (await groupsIn(language.locale)).flatMap((g) => g.items);
  if (typed.endsWith(':')) {
    const name = typed.slice(0, -1).toLowerCase();
    if (serverEmoji.all.items.some((e) => e.name === name)) return []; // it stays as it is
    const named = all.find((e) => e.names.includes(name));
    if (!named) return [];
    const char = toned(named.char, tone());
    return [{ id: char, label: named.names[0], emoji: char, insert: char, whole: true }];
  }
  const ours = serverEmoji.all.items
    .map((e) => [fit(typed, e.name) + 1, e] as const) // before one of Unicode that fits as well
    .filter(([score]) => score > 50)
    .map(([score, e]) => [score, { id: `:${e.name}:`, label: `:${e.name}:`, picture: e.picture, insert: `:${e.name}:` }] as const);
  const unicode = all
    .map((e) => [fits(typed, e), toned(e.char, tone()), bestName(typed, e)] as const)
    .filter(([score]) => score > 0)
    .map(([score, char, name]) => [score, { id: char, label: `:${name}:`, emoji: char, insert: char }] as const);
  return [...ours, ...unicode]
    .sort(([a], [b]) => b - a)
    .slice(0, most)
    .map(([, choice]) => choice);
}

/** The name of an emoji that fits best: what was typed should be seen in it. */
const bestName = (typed: string, e: Emoji): string =>
  e.names.reduce((best, name) => (fit(typed, name) > fit(typed, best) ? name : best));

/** Offers what one can ask of the room and of the devices in it, and what may follow. */
async function commands(app: App, model: RoomModel, room: RoomState, typed: string): Promise<Choice[]> {
  const words = typed.split(' ');
  const last = words.at(-1) ?? '';
  const own = roomWords.find((w) => w.word === words[0]?.toLowerCase());
  if (own && words.length > 1) return ownArgument(app, model, room, own.takes, words.length, last);
  const [ofPrograms, ofDevices] = await Promise.all([
    slashWords(app, room.id, typed.toLowerCase()),
    deviceWords(app, room.id, words, last.toLowerCase()),
  ]);
  const all = [...ownWords(room, typed), ...ofPrograms, ...ofDevices].slice(0, mostCommands);
  return own ? all.map((c) => ({ ...c, optional: true })) : all; // it is whole
}

function ownWords(room: RoomState, typed: string): Choice[] {
  const begins = (word: string) => word !== typed.toLowerCase() && word.startsWith(typed.toLowerCase());
  return roomWords
    .filter(({ word }) => begins(word) && allowed(word, room))
    .map(({ word }): Choice => ({
      id: `/${word}`,
      label: usageOf(word),
      note: t(`typed.help-${word}`),
      insert: `/${word}`,
      icon: 'keyboard',
    }));
}

/** The commands of the room that programs answer. */
async function slashWords(app: App, room: string, typed: string): Promise<Choice[]> {
  try {
    const { slash } = await app.personal();
    return (await slash.commands(room))
      .filter((c) => !c.off && c.name !== typed && c.name.startsWith(typed))
      .map((c): Choice => ({
        id: `/${c.name}`,
        label: c.hint ? `/${c.name} ${c.hint}` : `/${c.name}`,
        note: c.description ?? '',
        insert: `/${c.name}`,
        icon: 'keyboard',
      }));
  } catch {
    return []; // offline: typing goes on without help
  }
}

/** What may follow a command of the room: names in a text are those of members, in an invitation of everybody. */
async function ownArgument(
  app: App,
  model: RoomModel,
  room: RoomState,
  takes: string,
  count: number,
  last: string,
): Promise<Choice[]> {
  if (takes === 'text' && last.startsWith('@')) return people(app, model, room, last.slice(1));
  if (takes === 'text' && /^:[^:]{2}/u.test(last)) return emoji(last.slice(1));
  if (takes === 'when' && count === 2 && !last) return ['soon', 'tomorrow', 'workdays'].map(whenChoice);
  if (takes !== 'person' || count > 2) return [];
  try {
    const found = await app.api.findUsers(last.replace(/^@/u, ''));
    return found.slice(0, most).map(personChoice);
  } catch {
    return []; // offline: typing goes on without help
  }
}

/** A time that one may be reminded at, to go on from. */
function whenChoice(name: string): Choice {
  const text = t(`typed.when-${name}`);
  return { id: name, label: text, insert: text, icon: 'clock', optional: true };
}

/** Offers a chart, actions of the devices in the room, and what may follow them. */
async function deviceWords(app: App, room: string, words: readonly string[], last: string): Promise<Choice[]> {
  try {
    const { actionsOf, optionsOf } = await import('./slash');
    const devices = await app.fleet.inRoom(room);
    const actions = actionsOf(devices);
    if (words.length > 1 && words[0]?.toLowerCase() === 'chart') return await chartWords(app, devices, words);
    if (words.length === 1)
      return [
        ...actions.map((a) => offer(`/${a.word}`, [a.actuator.title, a.device.name])),
        ...(devices.length ? [offer('/chart', [t('slash.chart')])] : []),
      ].filter(({ id }) => id.toLowerCase().includes(last) && id.toLowerCase() !== `/${last}`);
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
