import { keyOf, placeOf } from '../kit/keys';

/** What the keyboard can ask for anywhere. */
export interface Commands {
  switcher: () => void;
  step: (by: 1 | -1, unreadOnly: boolean) => void;
  find: (everywhere: boolean) => boolean;
  escape: () => void;
  /** marks all rooms as read */
  allRead: () => void;
  keys: () => void;
  /** adds the open room to the favourites, or takes it off */
  favour: () => void;
}

/** The first region after, or before, the one that has the focus gets it. */
function nextRegion(back: boolean): void {
  const regions = [...document.querySelectorAll<HTMLElement>('[data-region]')].filter((r) => r.offsetParent !== null);
  const at = regions.findIndex((r) => r.contains(document.activeElement));
  const n = regions.length;
  if (n) enter(regions[(at + (back ? -1 : 1) + n) % n]);
}

function enter(region: HTMLElement | undefined): void {
  if (region?.tabIndex === 0) return region.focus();
  const inside = region?.querySelector<HTMLElement>('[data-home-focus], [tabindex="0"], [aria-current="page"]');
  (inside ?? region)?.focus();
}

/** Whether a key is a letter of what somebody writes there. */
const writes = (at: EventTarget | null): boolean =>
  at instanceof HTMLElement && at.matches('input, textarea, select, [contenteditable]');

/** Runs the command that a key stands for, and says whether there was one. */
export function dispatch(e: KeyboardEvent, c: Commands): boolean {
  const mod = e.ctrlKey || e.metaKey;
  const key = keyOf(e).toLowerCase();
  // While a dialog is open, only what it does itself.
  if (document.querySelector('dialog[open]')) return false;
  if (mod && !e.altKey && key === 'k') c.switcher();
  else if (mod && !e.altKey && key === '/') c.keys();
  else if (key === '?' && !mod && !e.altKey && !writes(e.target)) c.keys();
  else if (mod && !e.altKey && key === 'f') return c.find(e.shiftKey);
  else if (e.altKey && !mod && (keyOf(e) === 'ArrowDown' || keyOf(e) === 'ArrowUp'))
    c.step(keyOf(e) === 'ArrowDown' ? 1 : -1, e.shiftKey);
  else if (e.altKey && e.shiftKey && !mod && placeOf(e) === 'KeyF') c.favour();
  else if (keyOf(e) === 'F6' && !mod && !e.altKey) nextRegion(e.shiftKey);
  else if (keyOf(e) === 'Escape' && !mod && !e.altKey) (e.shiftKey ? c.allRead : c.escape)();
  else return false;
  return true;
}
