// What a line that begins with a slash tells a device: "/fan on", "/target 21.5", and where two
// devices have the same action "/greenhouse.fan on".

import type { Actuator, Arg, FleetDevice } from '../fleetport';
import type { Value } from '../device/values';
import { words as roomWords } from './words';

/** An action of a device in the room, and the word that it is called by there. */
export interface Action {
  word: string;
  device: FleetDevice;
  actuator: Actuator;
}

/** A name as a word of a command: "Green house" is green-house. */
export const wordOf = (name: string): string =>
  name
    .toLowerCase()
    .trim()
    .replace(/[\s.]+/gu, '-');

/** The actions of devices, each by a word of its own. */
export function actionsOf(devices: readonly FleetDevice[]): Action[] {
  const all = devices.flatMap((device) =>
    (device.capabilities?.actuators ?? []).map((actuator) => ({ device, actuator, word: actuator.name })),
  );
  const count = (word: string) => all.filter((a) => a.word.toLowerCase() === word.toLowerCase()).length;
  const ofRoom: ReadonlySet<string> = new Set(['chart', ...roomWords.map((w) => w.word)]); // which the room does itself
  const taken = (word: string) => count(word) > 1 || ofRoom.has(word.toLowerCase());
  const named = all.map((a) => (taken(a.word) ? { ...a, word: `${wordOf(a.device.name)}.${a.word}` } : a));
  // Two devices of one name are told apart by their ids.
  const twice = (a: Action) => named.some((b) => b !== a && b.word === a.word);
  return named.map((a) => (twice(a) ? { ...a, word: `${a.device.id}.${a.actuator.name}` } : a));
}

export type Parsed = { action: Action; args: Record<string, Value> };

/** Says what is wrong with a command; field is the argument. */
export class NotACommand extends Error {
  readonly field: Arg | undefined;
  readonly reason: 'missing' | 'number' | 'bool' | 'choice' | 'many';

  constructor(reason: NotACommand['reason'], field?: Arg) {
    super(reason);
    this.reason = reason;
    this.field = field;
  }
}

/** The command of a text; undefined: it is a message. Throws NotACommand where its arguments are wrong. */
export function parse(text: string, actions: readonly Action[]): Parsed | undefined {
  const [head = '', ...words] = wordsOf(text.trim());
  if (!head.startsWith('/')) return undefined;
  const action = actions.find((a) => a.word.toLowerCase() === head.slice(1).toLowerCase());
  return action && { action, args: argsOf(action.actuator.args ?? [], words) };
}

/** What a text tells a group: "/fan @pumps on". */
export interface ToGroup {
  group: string;
  actuator: Actuator;
  args: Record<string, Value>;
}

/**
 * What a text tells one of the groups, by an action that a device in the room has; undefined: it tells none.
 * Throws NotACommand where its arguments are wrong.
 */
export function parseGroup(
  text: string,
  devices: readonly FleetDevice[],
  groups: readonly string[],
): ToGroup | undefined {
  const [head = '', name = '', ...words] = wordsOf(text.trim());
  const group = name.startsWith('@') && groups.find((g) => g === name.slice(1).toLowerCase());
  if (!head.startsWith('/') || !group) return undefined;
  const actuator = devices
    .flatMap((d) => d.capabilities?.actuators ?? [])
    .find((a) => a.name.toLowerCase() === head.slice(1).toLowerCase());
  return actuator && { group, actuator, args: argsOf(actuator.args ?? [], words) };
}

/** Words apart by spaces; those within quotes belong together. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"=]+=)?"([^"]*)"|\S+/gu)].map((m) => m[0].replaceAll('"', ''));
}

function argsOf(args: readonly Arg[], words: readonly string[]): Record<string, Value> {
  const values: Record<string, Value> = {};
  const last = args.at(-1);
  for (const [i, word] of words.entries()) {
    const named = /^([^=]+)=(.*)$/su.exec(word);
    const byName = named && args.find((a) => a.name === named[1]);
    const arg = byName ?? args.find((a) => !(a.name in values));
    if (!arg) throw new NotACommand('many');
    // The last text takes all that is left.
    const whole = !byName && arg === last && arg.kind === 'text';
    values[arg.name] = readAs(arg, byName ? (named[2] ?? '') : whole ? words.slice(i).join(' ') : word);
    if (whole) break;
  }
  const missing = args.find((a) => a.required && !(a.name in values));
  if (missing) throw new NotACommand('missing', missing);
  return values;
}

const yes = ['on', 'true', 'yes', '1', 'an', 'ein', 'ja'];
const no = ['off', 'false', 'no', '0', 'aus', 'nein'];

function readAs(arg: Arg, word: string): Value {
  const lower = word.toLowerCase();
  switch (arg.kind) {
    case 'bool':
      if (yes.includes(lower)) return true;
      if (no.includes(lower)) return false;
      throw new NotACommand('bool', arg);
    case 'number': {
      const n = Number(word.replace(',', '.'));
      if (word === '' || Number.isNaN(n)) throw new NotACommand('number', arg);
      return n;
    }
    case 'choice': {
      const option = arg.options?.find((o) => o.toLowerCase() === lower);
      if (option === undefined) throw new NotACommand('choice', arg);
      return option;
    }
    default:
      return word;
  }
}

/** What may be typed for an argument. */
export function optionsOf(arg: Arg): readonly string[] {
  if (arg.kind === 'bool') return ['on', 'off'];
  return arg.options ?? [];
}
