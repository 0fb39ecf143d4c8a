// Writes src/view/room/emojidata/: each emoji of Unicode with its group and what it is found by, in each language of
// the client: `npm run emoji`. A test checks that the files are what this makes. The data are those of emojibase, of
// Unicode's CLDR, and the names between colons those that Slack and Mattermost have.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const from = createRequire(import.meta.url);
const folder = new URL('src/view/room/emojidata/', import.meta.url);

/** The groups of emojibase by their number, as the client names them. The second has parts of emoji alone. */
const groups = ['smileys', 'people', '', 'nature', 'food', 'places', 'fun', 'things', 'signs', 'flags'];

// What would be shown as text: an emoji that is not one by itself, unless a tone follows.
const asText = /(?!\p{Emoji_Presentation}|\p{Emoji_Modifier})\p{Emoji}(?!\p{Emoji_Modifier}|\ufe0f)/gu;
const shown = (emoji) => emoji.replaceAll('\ufe0f', '').replace(asText, '$&\ufe0f');

const words = (text) => text.toLowerCase().split(/[^\p{L}\p{N}+-]+/u).filter(Boolean);

/** The files, by their names. */
export function files() {
  const named = from('emojibase-data/en/shortcodes/iamcal.json');
  const all = from('emojibase-data/en/compact.json')
    .filter((e) => groups[e.group])
    .sort((a, b) => a.group - b.group || a.order - b.order);
  const lines = (of) =>
    groups
      .filter(Boolean)
      .map((group) => `"${group}": ${JSON.stringify(all.filter((e) => groups[e.group] === group).map(of).join('|'))}`);
  const english = lines((e) => {
    const names = [named[e.hexcode] ?? words(e.label).join('_')].flat();
    const parts = new Set(names.flatMap((name) => name.split('_')));
    const more = new Set([...words(e.label), ...(e.tags ?? []).flatMap(words)].filter((w) => !parts.has(w)));
    return [shown(e.unicode), ...names, '', ...more].join(' ').trimEnd();
  });
  const file = (entries) => `{\n${entries.join(',\n')}\n}\n`;
  const german = new Map(from('emojibase-data/de/compact.json').map((e) => [e.hexcode, e]));
  return {
    'en.json': file(english),
    'de.json': file(
      lines((e) => {
        const { label, tags = [] } = german.get(e.hexcode);
        const more = new Set(tags.flatMap(words).filter((w) => !words(label).includes(w)));
        return [label.replaceAll('|', ' '), ...more].join(';');
      }),
    ),
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const [name, text] of Object.entries(files())) writeFileSync(new URL(name, folder), text);
}
