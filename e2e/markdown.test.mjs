// Messages in Markdown: tables, tasks that their author ticks, spoilers, and long ones that are folded.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { becomes, composer, shot } from './people.mjs';
import { workshop } from './workshop.mjs';

const wide = ['what', ...Array.from({ length: 9 }, (_, i) => `column number ${i + 1}`)];
const table = [wide, wide.map((_, i) => (i === 0 ? '---' : '--:')), wide.map((_, i) => `${i * 11}`)];
const long = Array.from({ length: 60 }, (_, i) => `verse ${i + 1}`).join('\n');

const { call, room, story } = workshop([
  ['ann', long],
  ['ann', `prices\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}`],
  ['ann', 'it was ||the *butler*||'],
  ['ann', '```go\nfunc main() {\n\tprintln("tea")\n}\n```'],
  ['ann', '- [ ] tea\n  1. [ ] kettle\n- [x] milk\n\n- bread ~~and butter~~'],
  ['ann', 'that is all'],
]);

const task = (page, name) => page.getByRole('checkbox', { name, exact: true });

story('the author ticks by pointer and keyboard, and everybody sees it', async ({ ann, bob }) => {
  await task(bob, 'tea').waitFor();
  await becomes(() => task(bob, 'tea').isDisabled(), true, 'only the author may tick');
  await becomes(() => task(ann, 'milk').isChecked(), true);
  await task(ann, 'tea').click();
  await bob.waitForFunction(() => document.querySelector('input[aria-label=tea]')?.checked);
  await task(ann, 'kettle').focus();
  await ann.keyboard.press('Space');
  await bob.waitForFunction(() => document.querySelector('input[aria-label=kettle]')?.checked);
  assert.ok(await task(ann, 'kettle').evaluate((box) => box === document.activeElement), 'the focus stays');
});

story('a task that was changed meanwhile is not ticked', async ({ ann }) => {
  const postData = JSON.stringify({ task: 'cream', done: false });
  await ann.route('**/tasks/**', (route) => route.continue({ postData }));
  await task(ann, 'milk').click();
  await ann.getByText('This task has changed meanwhile.').waitFor();
  await becomes(() => task(ann, 'milk').isChecked(), true, 'it is as it was');
  await ann.unroute('**/tasks/**');
});

story('a spoiler is shown when it is pressed', async ({ bob }) => {
  const covered = bob.getByRole('button', { name: 'Spoiler: show it' });
  await covered.focus();
  await bob.keyboard.press('Enter');
  await bob.locator('em', { hasText: 'butler' }).waitFor();
  await bob.getByRole('button', { name: 'Hide the spoiler' }).click();
  await covered.waitFor();
});

story('a slash lists commands, an unknown one stays, and what one does is shown as that', async ({ ann, bob }) => {
  await composer(ann).pressSequentially('/');
  await ann.getByRole('option', { name: /\/topic TEXT/ }).waitFor();
  await shot(ann, 'commands');
  await accessible(ann, 'commands');
  await composer(ann).fill('/dance wildly');
  await ann.keyboard.press('Enter');
  await ann.getByText(/There is no command \/dance here/).waitFor();
  await becomes(() => composer(ann).inputValue(), '/dance wildly');
  await composer(ann).fill('/me waves at @bob');
  await ann.keyboard.press('Enter');
  const waved = bob.getByRole('article').filter({ hasText: 'waves at' });
  await waved.filter({ hasText: /Ann.*waves at/s }).waitFor();
  await composer(bob).pressSequentially('/sh');
  await shot(bob, 'phone-commands');
  await bob.getByRole('option', { name: /\/shrug/ }).tap();
  await becomes(() => composer(bob).inputValue(), '/shrug ');
  await composer(bob).fill('');
});

story('a wide table scrolls in its own box, and a long message opens', async ({ ann, bob }) => {
  const page = await call('bob', 'GET', `/rooms/${room.id}/timeline?limit=50`);
  assert.ok(page.items.length > 5);
  await bob.getByRole('table').scrollIntoViewIfNeeded();
  const inside = () => bob.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  assert.ok(await inside(), 'the page itself does not scroll');
  await shot(bob, 'phone-markdown');
  await shot(ann, 'markdown');
  await ann.getByRole('log').focus();
  await ann.keyboard.press('Home');
  await ann.getByRole('button', { name: 'Show more' }).click();
  await ann.getByRole('button', { name: 'Show less' }).waitFor({ state: 'attached' });
  await accessibleEverywhere(ann, 'markdown');
  assert.equal(ann.broken, undefined);
});
