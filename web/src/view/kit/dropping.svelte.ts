// Files that are dropped anywhere on the page.

const hasFiles = (e: DragEvent) => e.dataTransfer?.types.includes('Files') ?? false;

/** Handlers of the window that take files where some may come, and else keep the browser from opening them. */
export class Dropping {
  /** files that may come are held above the page */
  over = $state(false);
  readonly #may: () => boolean;
  readonly #take: (files: File[], folders: boolean) => void;
  #leaves: ReturnType<typeof setTimeout> | undefined;

  /** take is called also if none may come, so that it can say why; folders: there were some, which are left out */
  constructor(may: () => boolean, take: (files: File[], folders: boolean) => void) {
    this.#may = may;
    this.#take = take;
  }

  // An element that the pointer leaves is told after the one that it enters.
  dragged = (e: DragEvent): void => {
    if (!hasFiles(e)) return;
    e.preventDefault();
    clearTimeout(this.#leaves);
    this.over = this.#may();
    if (e.dataTransfer) e.dataTransfer.dropEffect = this.over ? 'copy' : 'none';
  };

  left = (): void => {
    clearTimeout(this.#leaves);
    this.#leaves = setTimeout(() => (this.over = false), 100);
  };

  dropped = (e: DragEvent): void => {
    if (!hasFiles(e)) return;
    e.preventDefault(); // or else the browser would open it
    this.over = false;
    const items = [...(e.dataTransfer?.items ?? [])].filter((i) => i.kind === 'file');
    // A folder looks like a file that cannot be read.
    const files = items.flatMap((i) => (i.webkitGetAsEntry()?.isDirectory ? [] : (i.getAsFile() ?? [])));
    this.#take(files, items.length > files.length);
  };
}
