import type { Imported } from '../fleetport';

/** The keys that an import gave, as CSV. What a spreadsheet would take for a formula has a quote before it. */
export function keyFile(lines: readonly Imported[]): string {
  const rows = lines.filter((l) => l.key).map((l) => [l.name, l.serial, l.device, l.key]);
  return [['name', 'serial', 'device', 'key'], ...rows]
    .map((row) => `${row.map((cell = '') => quoted(/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell)).join(',')}\r\n`)
    .join('');
}

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** About how many devices a file has: its lines with something in them, without the names of columns. */
export function linesIn(text: string): number {
  const lines = text.split('\n').filter((l) => l.replace(/[\s;,]/g, ''));
  return Math.max(0, lines.length - (/^\ufeff?\s*\{/.test(text) ? 0 : 1));
}

/** Hands over each line of an answer, which is JSON, as it comes. */
export async function eachLine<T>(answer: Response, each: (line: T) => void): Promise<void> {
  let rest = '';
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const whole = (rest + part.value).split('\n');
    rest = whole.pop()!;
    for (const line of whole) each(JSON.parse(line) as T);
  }
}
