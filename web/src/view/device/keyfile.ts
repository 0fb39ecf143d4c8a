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
