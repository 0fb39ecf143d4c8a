/**
 * The key of an event, and 'Process' while an input method composes: its Enter
 * chooses a word, and Escape and arrows are its own too. Some browsers say so
 * by isComposing; Safari ends the composition first and says so by the code
 * 229. Everything that listens to keys asks here.
 */
export function keyOf(e: KeyboardEvent): string {
  return e.isComposing || e.keyCode === 229 ? 'Process' : e.key;
}

/** Where on the keyboard the key of an event is, whatever it writes: with Alt, a letter is another one on a Mac. */
export const placeOf = (e: KeyboardEvent): string => (keyOf(e) === 'Process' ? '' : e.code);
