import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { letterOf, roomColours } from './hue';

const css = readFileSync(new URL('Avatar.svelte', import.meta.url), 'utf8');

/** The luminance of a colour in OKLCH, by WCAG, as far as screens of sRGB show it. */
function luminance(l: number, c: number, h: number): number {
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const L = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const M = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const S = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const shown = (x: number) => Math.min(1, Math.max(0, x));
  return (
    0.2126 * shown(4.0767416621 * L - 3.3077115913 * M + 0.2309699292 * S) +
    0.7152 * shown(-1.2684380046 * L + 2.6097574011 * M - 0.3413193965 * S) +
    0.0722 * shown(-0.0041960863 * L - 0.7034186147 * M + 1.707614701 * S)
  );
}

/** The colours of a rule, light and dark: [background, text] of each. */
function themes(rule: string) {
  const text = css.slice(css.lastIndexOf(`\n  ${rule} {`)).replace(/\n {2}\}[^]*/, '');
  const all = [...text.matchAll(/oklch\(([\d.]+) (?:calc\()?([\d.]+)/g)].map((m) => [Number(m[1]), Number(m[2])] as const);
  expect(all).toHaveLength(4);
  return { light: [all[0], all[2]], dark: [all[1], all[3]] };
}

test.each(Object.entries(roomColours))('%s can be read in light and dark', (_name, hue) => {
  for (const rule of ['.initials', '.chosen .initials']) {
    for (const pair of Object.values(themes(rule))) {
      const [one = 0, other = 0] = pair
        .map(([l, c] = [0, 0]) => luminance(l, hue === undefined ? 0 : c, hue ?? 0))
        .sort((a, b) => b - a);
      expect((one + 0.05) / (other + 0.05)).toBeGreaterThanOrEqual(4.5);
    }
  }
});

test.each([
  ['workshop', 'W'],
  ['  ärzte', 'Ä'],
  ['3D printer', '3'],
  ['🔧 tools', '#'],
  ['', '#'],
])('%s is shown by its letter', (name, letter) => expect(letterOf(name)).toBe(letter));
