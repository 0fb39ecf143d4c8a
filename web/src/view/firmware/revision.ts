/** A revision of a chip as its maker writes it: 103 is 1.3. */
export const revisionOf = (n: number): string => `${Math.floor(n / 100)}.${n % 100}`;
