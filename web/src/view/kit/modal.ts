import { untrack } from 'svelte';
import { router } from '../route.svelte';

/**
 * Opens a <dialog> over the page. It traps the focus; what it hides it also makes inert. Back closes it. The
 * browser returns the focus, unless what had it is gone by then.
 */
export function modal(onclose: () => () => void) {
  return (node: HTMLDialogElement): (() => void) => {
    const before = document.activeElement;
    node.showModal();
    const first = node.querySelector<HTMLElement>('[autofocus], [data-autofocus]');
    first?.focus();
    const uncover = untrack(() => router.cover(onclose()));
    return () => {
      node.close();
      uncover();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      else document.querySelector<HTMLElement>('[data-home-focus]')?.focus();
    };
  };
}
