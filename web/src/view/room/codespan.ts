/**
 * The code spans of a paragraph. All runs of backticks are found once, so that
 * looking for the end of a span never reads the text again.
 */
export class CodeSpans {
  readonly #s: string;
  /** where runs of each length begin, in order, and how many of them are behind the reader */
  #runs: Map<number, { starts: number[]; next: number }> | undefined;

  constructor(s: string) {
    this.#s = s;
  }

  /** Reads the span that begins at i: its text, or undefined if nothing closes it, and where to go on. */
  at(i: number): [string | undefined, number] {
    const size = runAt(this.#s, i);
    const runs = this.#find().get(size);
    if (!runs) return [undefined, i + size];
    while ((runs.starts[runs.next] ?? Infinity) <= i) runs.next++;
    const close = runs.starts[runs.next];
    if (close === undefined) return [undefined, i + size];
    return [inside(this.#s.slice(i + size, close)), close + size];
  }

  #find() {
    if (this.#runs) return this.#runs;
    this.#runs = new Map();
    for (let i = this.#s.indexOf('`'); i >= 0; ) {
      const size = runAt(this.#s, i);
      const runs = this.#runs.get(size);
      if (runs) runs.starts.push(i);
      else this.#runs.set(size, { starts: [i], next: 0 });
      i = this.#s.indexOf('`', i + size);
    }
    return this.#runs;
  }
}

function runAt(s: string, i: number): number {
  let end = i;
  while (s.charAt(end) === '`') end++;
  return end - i;
}

/** One space on each side makes room for backticks and is not shown. */
function inside(code: string): string {
  const text = code.replaceAll('\n', ' ');
  return text.length > 2 && text.startsWith(' ') && text.endsWith(' ') && text.trim() !== '' ? text.slice(1, -1) : text;
}
