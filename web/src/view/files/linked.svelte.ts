import type { FileLink, Files } from '../filesport';
import type { FileView } from '../types';

/** The addresses of a file, while a component shows it. */
export class Linked {
  readonly #files: () => Files;
  readonly #of: () => FileView;
  #got: { id: string; link: FileLink | null } | undefined = $state.raw();

  constructor(files: () => Files, of: () => FileView) {
    this.#files = files;
    this.#of = of;
    $effect(() => {
      const { id, gone } = of();
      return gone ? undefined : files().watch(id, (link) => (this.#got = { id, link }));
    });
  }

  /** null: the file is gone; undefined: they are not known yet */
  get now(): FileLink | null | undefined {
    const { id, gone } = this.#of();
    if (gone) return null;
    return this.#got?.id === id ? this.#got.link : this.#files().known(id);
  }
}
