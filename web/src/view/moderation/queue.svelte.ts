import type { QueuePage } from '../moderationport';
import { Pages } from '../pages.svelte';

/** A queue of reported messages, page by page, with how many wait in it. */
export class Queue<T> extends Pages<T & { id: string }> {
  /** undefined: not known yet */
  waiting: number | undefined = $state();

  /** over: is told when none waits any more */
  constructor(
    load: (cursor: string) => Promise<QueuePage<T>>,
    placeOf: (item: T) => { room: string; seq: number },
    over: () => void,
  ) {
    super(async (cursor) => {
      const page = await load(cursor);
      if ((this.waiting = page.waiting) === 0) over();
      const id = (item: T) => Object.values(placeOf(item)).join('/');
      return { ...page, items: page.items.map((item) => ({ ...item, id: id(item) })) };
    });
  }
}
