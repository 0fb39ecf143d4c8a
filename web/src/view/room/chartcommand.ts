// "/chart greenhouse temperature 24h" posts a small chart of what a device has measured.

import type { FleetDevice } from '../fleetport';
import { wordOf } from './slash';

export interface ChartWish {
  device: FleetDevice;
  /** which series; none: the first ones */
  series: string[];
  /** seconds */
  span: number;
}

/** Why a text asks for no chart. */
export class NoChart extends Error {
  readonly reason: 'device' | 'span' | 'many';
  /** what stands where a device should */
  readonly word: string;

  constructor(reason: NoChart['reason'], word = '') {
    super(reason);
    this.reason = reason;
    this.word = word;
  }
}

const units: Record<string, number> = { m: 60, min: 60, h: 3600, d: 86_400, w: 604_800 };
const day = 86_400;
const longest = 366 * day;
const seriesMost = 4;

/** Whether a text begins with the command. */
export const wantsChart = (text: string): boolean => /^\/chart(\s|$)/iu.test(text.trim());

/** What a text asks for. With one device in the room it need not be named. Throws NoChart. */
export function chartOf(text: string, devices: readonly FleetDevice[]): ChartWish {
  const words = text
    .trim()
    .split(/[\s,]+/u)
    .slice(1)
    .filter(Boolean);
  const span = spanOf(words.at(-1) ?? '');
  if (span !== undefined) words.pop();
  if (span !== undefined && (span < 60 || span > longest)) throw new NoChart('span');
  const { device, rest } = deviceOf(words, devices);
  if (rest.length > seriesMost) throw new NoChart('many');
  return { device, series: rest, span: span ?? day };
}

function deviceOf(words: readonly string[], devices: readonly FleetDevice[]): { device: FleetDevice; rest: string[] } {
  const [first = '', ...rest] = words;
  const named = (word: string) =>
    devices.find((d) => d.id === word) ?? devices.find((d) => wordOf(d.name) === wordOf(word));
  const device = named(first);
  if (device) return { device, rest };
  // "greenhouse.temperature"
  const dot = first.indexOf('.');
  const before = dot > 0 ? named(first.slice(0, dot)) : undefined;
  if (before) return { device: before, rest: [first.slice(dot + 1), ...rest].filter(Boolean) };
  const [only] = devices;
  if (only && devices.length === 1) return { device: only, rest: [...words] };
  throw new NoChart('device', first);
}

/** Seconds of "90m", "24h", "7d" or "2w"; undefined: it is no time. */
export function spanOf(word: string): number | undefined {
  const m = /^(\d{1,6})(m|min|h|d|w)$/iu.exec(word);
  return m ? Number(m[1]) * (units[(m[2] ?? '').toLowerCase()] ?? 0) : undefined;
}
