const kept = 1000; // milliseconds: what was read out is not found twice on the page

/** What a screen reader is told. Each text is an element of its own: the next one never takes its place. */
class Announcer {
  lines: readonly { id: number; text: string }[] = $state.raw([]);
  #next = 1;

  say(text: string): void {
    const id = this.#next++;
    this.lines = [...this.lines, { id, text }];
    setTimeout(() => (this.lines = this.lines.filter((l) => l.id !== id)), kept);
  }
}

export const announcer = new Announcer();
