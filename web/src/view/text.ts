import { language } from '../text/language.svelte';

/** The text with this key, filled in: {count} chooses the plural form. */
export const t = (key: string, values: Record<string, string | number> = {}): string => language.say(key, values);

/**
 * A page that is imported when it is needed, together with the texts of these parts, which
 * are the folders in src/text. They come at the same time; the page is there when both are.
 */
export async function withTexts<T>(page: Promise<T>, ...parts: string[]): Promise<T> {
  const [it] = await Promise.all([page, language.add(parts)]);
  return it;
}
