import type { QueuePage } from '../moderationport';
import { Pages } from '../pages.svelte';

/** A queue of reported messages, page by page, with how many wait in it. */
export class Queue<T> extends Pages<T & { id: string }> {
  /** undefined: not known yet */
  waiting: number | undefined = $state();

  constructor(load: (cursor: string) => Promise<QueuePage<T>>, placeOf: (item: T) => { room: string; seq: number }) {
    super(async (cursor) => {
      const page = await load(cursor);
      this.waiting = page.waiting;
      const id = (item: T) => Object.values(placeOf(item)).join('/');
      return { ...page, items: page.items.map((item) => ({ ...item, id: id(item) })) };
    });
  }
}
