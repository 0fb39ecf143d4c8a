import { keyOf } from './keys';
/**
 * Makes a list one stop of the Tab key: arrows, Home and End move within it.
 * Items are what matches `selector`; the one that had the focus last keeps it.
 */
export function roving(selector: string, horizontal = false) {
  return (node: HTMLElement): (() => void) => {
    const items = () => [...node.querySelectorAll<HTMLElement>(selector)];
    const [next, prev] = horizontal ? ['ArrowRight', 'ArrowLeft'] : ['ArrowDown', 'ArrowUp'];

    function mark(current: HTMLElement | undefined) {
      for (const item of items()) item.tabIndex = item === current ? 0 : -1;
    }

    function settle() {
      const all = items();
      if (all.some((i) => i === document.activeElement)) return;
      const kept = all.filter((i) => i.tabIndex === 0);
      if (kept.length !== 1) mark(all.find((i) => i.ariaCurrent === 'page') ?? all[0]);
    }

    function keydown(e: KeyboardEvent) {
      if (e.altKey || e.ctrlKey || e.metaKey) return;
      const all = items();
      const at = all.indexOf(document.activeElement as HTMLElement);
      if (at < 0) return;
      const to = { [next]: at + 1, [prev]: at - 1, Home: 0, End: all.length - 1 }[keyOf(e)];
      const item = to === undefined ? undefined : all[to];
      if (to !== undefined) e.preventDefault();
      item?.focus();
    }

    function focusin(e: FocusEvent) {
      const item = (e.target as HTMLElement).closest<HTMLElement>(selector);
      if (item && node.contains(item)) mark(item);
    }

    settle();
    const watch = new MutationObserver(settle);
    watch.observe(node, { childList: true, subtree: true });
    node.addEventListener('keydown', keydown);
    node.addEventListener('focusin', focusin);
    return () => {
      watch.disconnect();
      node.removeEventListener('keydown', keydown);
      node.removeEventListener('focusin', focusin);
    };
  };
}
