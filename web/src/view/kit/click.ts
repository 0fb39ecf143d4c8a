/**
 * Ignores the next click anywhere, unless it begins with a press of its own or comes later than half a second: the one
 * that a browser makes of a press which was already acted on.
 */
export function ignoreClick(on: EventTarget = window): void {
  const ignore = (e: Event) => {
    e.preventDefault();
    e.stopPropagation();
  };
  const stop = () => on.removeEventListener('click', ignore, { capture: true });
  on.addEventListener('click', ignore, { capture: true, once: true });
  on.addEventListener('pointerdown', stop, { capture: true, once: true });
  setTimeout(stop, 500);
}
