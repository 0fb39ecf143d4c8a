/**
 * A list with one more page. An entry that is there already is not repeated: lists
 * shift while they are read page by page.
 */
export function listed<T>(list: readonly T[], page: readonly T[], keyOf: (one: T) => string | number): T[] {
  const known = new Set(list.map(keyOf));
  const news = page.filter((one) => {
    const key = keyOf(one);
    return !known.has(key) && known.add(key);
  });
  return [...list, ...news];
}
