// What a line that begins with a slash asks of the room: "/topic Tea", "/invite @ben". What it tells devices is in
// todevice.ts.

import { reasonOf } from '../failure';
import { may } from '../permit';
import type { App } from '../port';
import { nameOf, roomNamed } from '../roomname';
import { router } from '../route.svelte';
import { t, withTexts } from '../text';
import type { RoomState } from '../types';
import { overlay } from '../ui.svelte';
import { toDevice } from './todevice';
import { action, empty } from './sending';
import { isCommand, splitWord, unescaped, words, type Word } from './words';

/** Where a command is typed. */
export interface Typed {
  app: App;
  room: RoomState;
  into: { draft: string };
  /** number of the message in whose thread it is typed */
  thread?: number;
  text: string;
}

/** A message that is to be sent, and its media type if it is not Markdown. */
export interface Saying {
  say: string;
  type?: string;
}

/** What a command came to: a message, done, or not done: then the text stays where it was typed. */
type Outcome = Saying | 'done' | 'kept';

/** Says why a command cannot be carried out. */
class Unusable extends Error {}

/** Carries out what a text asks for. It returns a message that is to be sent instead. */
export async function carryOut(typed: Typed): Promise<Saying | undefined> {
  try {
    const outcome = await run(typed);
    if (typeof outcome === 'object') return outcome;
    if (outcome === 'done') empty(typed.into, typed.text);
  } catch (err) {
    overlay.say(err instanceof Unusable ? err.message : reasonOf(err), true);
  }
  return undefined;
}

async function run(typed: Typed): Promise<Outcome> {
  const { app, into, room, text } = typed;
  if (!isCommand(text)) {
    // What a device does may have a slash in its name: "/relay/1 on".
    if (!text.startsWith('//') && (await toDevice(app, into, room.id, text))) return 'kept';
    return { say: unescaped(text) };
  }
  const { word, rest } = splitWord(text);
  const own = words.find((w) => w.word === word);
  if (own) {
    if (!allowed(own.word, room)) throw new Unusable(t('typed.not-here', { word }));
    return commands[own.word](typed, rest);
  }
  const { slash } = await app.personal();
  const command = (await slash.commands(room.id)).find((c) => c.name === word);
  if (command?.off) throw new Unusable(t('typed.off', { word }));
  if (command) {
    await slash.run(room.id, word, rest, typed.thread);
    return 'done';
  }
  if (await toDevice(app, into, room.id, text)) return 'kept'; // it empties the box itself
  throw new Unusable(t('typed.unknown', { word }));
}

const commands: Record<Word, (typed: Typed, rest: string) => Outcome | Promise<Outcome>> = {
  me: (_, rest) => ({ say: needed(rest, 'me'), type: action }),
  shrug: (_, rest) => ({ say: `${rest} ¯\\\\\\_(ツ)\\_/¯`.trim() }),
  poll,
  topic,
  invite,
  join,
  leave,
  mute: ({ app, room }) => notify(app, room, 'nothing'),
  unmute: ({ app, room }) => notify(app, room),
  remind,
};

/** Whether a command is of use in a room. The server decides what is done. */
export function allowed(word: Word, room: RoomState): boolean {
  if (word === 'invite' && !may(room, 'add')) return false;
  return room.kind !== 'direct' || !['topic', 'invite', 'leave'].includes(word);
}

/** How a command is written: "/me TEXT". */
export function usageOf(word: Word): string {
  const takes = words.find((w) => w.word === word)?.takes;
  return takes ? `/${word} ${t(`typed.args-${takes}`)}` : `/${word}`;
}

function needed(rest: string, word: Word): string {
  if (!rest) throw new Unusable(t('typed.missing', { usage: usageOf(word) }));
  return rest;
}

/** Opens the dialog of polls, filled in: "/poll Tea? | yes | no". */
function poll({ into, room, text, thread }: Typed, rest: string): Outcome {
  const [question = '', ...choices] = rest.split('|').map((part) => part.trim());
  overlay.open({
    name: 'poll',
    room: room.id,
    question,
    choices: choices.filter(Boolean).slice(0, 10),
    ...(thread && { thread }),
    done: () => empty(into, text),
  });
  return 'kept';
}

async function topic({ app, room }: Typed, rest: string): Promise<Outcome> {
  if (rest) await app.api.updateRoom(room.id, { topic: rest });
  else overlay.say(room.topic ? t('typed.topic-is', { topic: room.topic }) : t('typed.no-topic'));
  return 'done';
}

async function invite({ app, room }: Typed, rest: string): Promise<Outcome> {
  const name = needed(rest, 'invite').replace(/^@/u, '');
  const user = await app.api.user(name);
  const added = await app.api.addMember(room.id, user.id);
  overlay.say(t(added ? 'members.added' : 'members.asked', { name: user.display_name }));
  return 'done';
}

async function join({ app }: Typed, rest: string): Promise<Outcome> {
  const name = needed(rest, 'join').replace(/^#/u, '');
  const found = await roomNamed(app, name);
  if (!found) throw new Unusable(t('typed.no-room', { name }));
  if (!app.rooms.list.some((r) => r.id === found.id)) await app.api.joinRoom(found.id);
  router.go({ page: 'room', room: found.id });
  return 'done';
}

async function leave({ app, into, room, text }: Typed): Promise<Outcome> {
  const { askLeave } = await withTexts(import('./leaving'), 'details');
  askLeave(app, room, () => empty(into, text));
  return 'kept';
}

/** Chooses what the room tells the user of; without a level, what they have chosen for all rooms. */
async function notify(app: App, room: RoomState, level?: 'nothing'): Promise<Outcome> {
  const chosen = await app.notifyModel();
  if (!chosen.now) await chosen.load();
  await chosen.choose({ room: room.id, ...(level && { level }) });
  overlay.say(t(level ? 'typed.muted' : 'typed.unmuted', { room: nameOf(room) }));
  return 'done';
}

async function remind({ app }: Typed, rest: string): Promise<Outcome> {
  const { remindAs } = await withTexts(import('../later/remind'), 'later');
  const refused = await remindAs(app, rest);
  if (refused) throw new Unusable(refused);
  return 'done';
}
