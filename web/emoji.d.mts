/** The files of emoji data, by their names. */
export function files(): Record<string, string>;
