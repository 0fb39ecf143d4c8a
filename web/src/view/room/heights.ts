import type { LinkPreview, Poll } from '../types';

/** How high parts of a message are, in pixels, as styles/tokens.css has them. */
export const dense = {
  comfortable: { line: 22, gap: 4, head: 32 },
  compact: { line: 20, gap: 2, head: 25 },
} as const;

/** How high the previews of a message are, with the gap after each, before anything of them is loaded. */
export const previewsHeight = (all: readonly LinkPreview[]) =>
  all.reduce((sum, p) => sum + (p.image || p.description ? 92 : 56), 0);

/** How high a poll is whose texts fit their lines. */
export const pollHeight = ({ choices }: Poll) => 58 + 38 * choices.length;

/**
 * Knows where each line of a long list begins, from the heights that were
 * measured and a guess for those that were not. It touches no DOM.
 */
export class Heights {
  #keys: readonly string[] = [];
  #index = new Map<string, number>();
  #known = new Map<string, number>();
  #starts = new Float64Array(1);

  readonly #guess: (i: number) => number;

  /** guess says how high line i will probably be. */
  constructor(guess: (i: number) => number) {
    this.#guess = guess;
  }

  /** Forgets what was measured: all lines are higher or lower now. */
  forget(): void {
    this.#known.clear();
    this.rebuild();
  }

  get count(): number {
    return this.#keys.length;
  }

  get total(): number {
    return this.#starts[this.#keys.length] ?? 0;
  }

  /** Sets the lines, in order; heights of lines that stay are kept. */
  set(keys: readonly string[]): void {
    this.#keys = keys;
    this.#index = new Map(keys.map((k, i) => [k, i]));
    // What scrolled out of the loaded part for good is forgotten.
    if (this.#known.size > 2 * keys.length + 500) {
      this.#known = new Map([...this.#known].filter(([k]) => this.#index.has(k)));
    }
    this.rebuild();
  }

  /** Notes a height; says whether it is news. Call rebuild after the last one. */
  measure(key: string, height: number): boolean {
    if (!this.#index.has(key) || this.#known.get(key) === height) return false;
    this.#known.set(key, height);
    return true;
  }

  rebuild(): void {
    const n = this.#keys.length;
    const starts = new Float64Array(n + 1);
    let y = 0;
    for (let i = 0; i < n; i++) {
      starts[i] = y;
      y += this.#known.get(this.#keys[i] ?? '') ?? this.#guess(i);
    }
    starts[n] = y;
    this.#starts = starts;
  }

  /** Where line i begins; the end of the list for i = count. */
  start(i: number): number {
    return this.#starts[Math.min(Math.max(0, i), this.#keys.length)] ?? 0;
  }

  /** The line at height y: the last one that begins at or above it. */
  at(y: number): number {
    let low = 0;
    let high = Math.max(0, this.#keys.length - 1);
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if ((this.#starts[mid] ?? 0) <= y) low = mid;
      else high = mid - 1;
    }
    return low;
  }

  /** The place of a key, or -1. */
  indexOf(key: string): number {
    return this.#index.get(key) ?? -1;
  }

  keyAt(i: number): string {
    return this.#keys[i] ?? '';
  }
}
