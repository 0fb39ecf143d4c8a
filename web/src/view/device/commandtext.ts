import { t } from '../text';
import { valueOf } from './values';

/** What a device was told, in one line: "fan off", "light on=on brightness=50", as one may type it after a slash. */
export function commandText(c: { action: string; args?: unknown }): string {
  const args = Object.entries(c.args ?? {});
  const said = args.map(([name, v]) => (args.length > 1 ? `${name}=${argText(v)}` : argText(v)));
  return [c.action, ...said].join(' ');
}

function argText(v: unknown): string {
  if (typeof v === 'boolean') return t(v ? 'command.on' : 'command.off');
  if (typeof v === 'number') return valueOf(v, undefined, '');
  return typeof v === 'string' ? v : JSON.stringify(v);
}
