import { language } from '../text/language.svelte';

/** The text with this key, filled in: {count} chooses the plural form. */
export const t = (key: string, values: Record<string, string | number> = {}): string => language.say(key, values);
