// What nobody can use is found by axe-core, in both themes and on a phone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { shot } from './people.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const sizes = [
  { width: 1440, height: 900 },
  { width: 390, height: 844 },
];

const all = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'];
const ofColors = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] }; // a theme changes nothing else

async function look(page, name, rules) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  const { violations } = await page.evaluate(
    (runOnly) => globalThis.axe.run(document, { runOnly, resultTypes: ['violations'] }),
    rules,
  );
  assert.deepEqual(
    violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`),
    [],
    name,
  );
  await shot(page, name);
}

/**
 * Waits until colours that change have changed, which takes a moment without motion too. What turns without end, or of
 * which no frame is drawn, is not waited for.
 */
const still = (page) =>
  page.evaluate(() => {
    const ending = document.getAnimations().filter((a) => Number.isFinite(a.effect?.getComputedTiming().endTime));
    const all = Promise.all(ending.map((a) => a.finished.catch(() => undefined)));
    return Promise.race([all, new Promise((late) => setTimeout(late, 3000))]);
  });

/** Looks at the page as it is now, once nothing moves, and leaves a picture of it. */
export async function accessible(page, name) {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await still(page);
  await look(page, name, all);
  await page.emulateMedia({ reducedMotion: null });
}

/**
 * Gives the page another size, and waits until it has drawn a frame of it: CSS has the new size at once, and what
 * listens to matchMedia hears of it only with that frame.
 */
async function resize(page, size) {
  await page.setViewportSize(size);
  await page.waitForFunction((width) => innerWidth === width, size.width);
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

/** Looks at the page in every size and theme, in the dark one at its colours, and puts it back as it was. */
export async function accessibleEverywhere(page, name) {
  const before = page.viewportSize();
  for (const size of sizes) {
    await resize(page, size);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await still(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} pixels too wide at ${size.width}`);
      await look(page, `${name}-${size.width}-${colorScheme}`, colorScheme === 'dark' ? ofColors : all);
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  await resize(page, before);
}
