import type { FileLink, Files } from '../filesport';
import type { FileView } from '../types';

/** The addresses of a file, while a component shows it: null if it is gone, undefined as long as they are not known. */
export class Linked {
  now: FileLink | null | undefined = $state.raw();

  constructor(files: () => Files, of: () => FileView) {
    this.now = of().gone ? null : files().known(of().id);
    $effect(() => (of().gone ? undefined : files().watch(of().id, (link) => (this.now = link))));
  }
}
