// Tables of GitHub Flavored Markdown: a line of names, a line of dashes that says
// how columns are aligned, and rows. internal/domain/table.go reads them alike.

export type Align = 'start' | 'center' | 'end';

const mostColumns = 20;

/**
 * How the columns of a table are aligned, if head and the line below begin one.
 * Lines with more than 20 columns are text.
 */
export function tableAt(head: string, below: string | undefined): Align[] | undefined {
  if (!below?.includes('|') || !head.includes('|')) return undefined;
  const marks = cellsOf(below);
  if (marks.length === 0 || marks.length > mostColumns || !marks.every(isRule)) return undefined;
  if (cellsOf(head).length !== marks.length) return undefined;
  return marks.map((m) => (m.endsWith(':') ? (m.startsWith(':') ? 'center' : 'end') : 'start'));
}

/** Dashes, with a colon on the sides that text keeps to. */
function isRule(cell: string): boolean {
  let i = cell.startsWith(':') ? 1 : 0;
  const from = i;
  while (cell.charAt(i) === '-') i++;
  return i > from && (i === cell.length || (i === cell.length - 1 && cell.endsWith(':')));
}

/** The cells of a row of so many columns: missing ones are empty, and what is too much stays in the last. */
export function rowOf(line: string, columns: number): string[] {
  const cells = cellsOf(line);
  const last = cells.slice(columns - 1).join(' | ');
  return Array.from({ length: columns }, (_, i) => (i === columns - 1 ? last : (cells[i] ?? '')));
}

/** What is between the bars of a line. \| is a bar within a cell. */
function cellsOf(line: string): string[] {
  const s = line.trim();
  const cells: string[] = [];
  let cell = '';
  let from = s.startsWith('|') ? 1 : 0;
  for (let i = from; i < s.length; i++) {
    const c = s.charAt(i);
    if (c === '\\') {
      i++;
      if (s.charAt(i) !== '|') continue;
      cell += s.slice(from, i - 1);
      from = i;
    } else if (c === '|') {
      cells.push((cell + s.slice(from, i)).trim());
      cell = '';
      from = i + 1;
    }
  }
  if (cell || from < s.length) cells.push((cell + s.slice(from)).trim());
  return cells;
}
