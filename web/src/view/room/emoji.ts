import { fit } from '../dialog/fuzzy';
import { bare } from './shownemoji';

/** An emoji, and what it is found by. */
export interface Emoji {
  char: string;
  /** between colons; the first is the one that is shown */
  names: readonly [string, ...string[]];
  /** what it is called in the language of the user */
  label: string;
  /** further words, with spaces between */
  words: string;
}

// Names that this client had first, and that no emoji of a server may have.
const lines = `
😄 smile happy|😀 grinning|😁 grin|😂 joy laugh tears|🤣 rofl|😅 sweat_smile|😆 laughing|🙂 slight_smile|🙃 upside_down|😉 wink|😊 blush|😇 innocent|🥰 smiling_hearts|😍 heart_eyes|🤩 star_struck|😘 kiss|😋 yum|😛 tongue|😜 winking_tongue|🤪 zany|🤔 thinking|🤨 raised_eyebrow|😐 neutral|😑 expressionless|😶 no_mouth|🙄 eye_roll|😏 smirk|😬 grimace|🤥 lying|😌 relieved|😔 pensive|😴 sleeping|🤤 drool|😷 mask|🤒 sick thermometer|🤕 bandage|🤢 nauseated|🤮 vomit|🤧 sneeze|🥵 hot|🥶 cold|😵 dizzy|🤯 mind_blown|🤠 cowboy|🥳 party_face|😎 cool sunglasses|🤓 nerd|🧐 monocle|😕 confused|🫤 diagonal_mouth|😟 worried|🙁 frown|😮 open_mouth wow|😲 astonished|😳 flushed|🥺 pleading|🥹 holding_tears|😨 fearful|😰 anxious|😥 sad_relieved|😢 cry|😭 sob|😱 scream|😖 confounded|😞 disappointed|😓 sweat|😩 weary|😫 tired|🥱 yawn|😤 triumph|😡 rage|😠 angry|🤬 cursing|😈 devil|💀 skull|💩 poop|🤡 clown|👻 ghost|👽 alien|🤖 robot bot|😺 smile_cat|🙈 see_no_evil|🙉 hear_no_evil|🙊 speak_no_evil
❤️ heart|🧡 orange_heart|💛 yellow_heart|💚 green_heart|💙 blue_heart|💜 purple_heart|🖤 black_heart|🤍 white_heart|💔 broken_heart|💖 sparkling_heart|💯 hundred|💥 boom|💫 dizzy_star|💤 zzz|💬 speech
👍 thumbs_up +1 yes|👎 thumbs_down -1 no|👌 ok_hand|✌️ victory peace|🤞 fingers_crossed|🤟 love_you|🤘 metal|👈 point_left|👉 point_right|👆 point_up|👇 point_down|✋ hand stop|👋 wave hello|🤙 call_me|💪 muscle strong|🙏 pray thanks please|🤝 handshake|👏 clap|🙌 raised_hands|👐 open_hands|✍️ writing|🫡 salute|🤷 shrug|🤦 facepalm|👀 eyes|🧠 brain|👁️ eye|👂 ear|👤 person|👥 people|👶 baby|👩‍💻 technologist coder|🧑‍🔬 scientist|🕵️ detective|🧑‍🚀 astronaut|🥷 ninja|🏃 running|🚶 walking|💃 dance
🎉 tada party|🎊 confetti|🎈 balloon|🎁 gift|🏆 trophy|🥇 gold first|🥈 silver|🥉 bronze|⚽ soccer|🏀 basketball|🎯 dart target|🎮 game|🎲 dice|🧩 puzzle|🎨 art|🎵 music note|🎸 guitar|🎧 headphones|🎤 microphone|🎬 clapper film|📷 camera
☕ coffee|🍵 tea|🍺 beer|🍻 cheers|🍷 wine|🥂 toast|🍕 pizza|🍔 burger|🍟 fries|🌮 taco|🍣 sushi|🍜 noodles|🍞 bread|🥐 croissant|🧀 cheese|🍎 apple|🍌 banana|🍓 strawberry|🥑 avocado|🍰 cake|🎂 birthday|🍪 cookie|🍫 chocolate|🍿 popcorn
🐶 dog|🐱 cat|🐭 mouse|🐰 rabbit|🦊 fox|🐻 bear|🐼 panda|🐸 frog|🐵 monkey|🐔 chicken|🐧 penguin|🐦 bird|🦆 duck|🦉 owl|🐝 bee|🐛 bug|🦋 butterfly|🐢 turtle|🐍 snake|🐙 octopus|🦑 squid|🐠 fish|🐳 whale|🐬 dolphin|🦄 unicorn|🐉 dragon hydra|🌵 cactus|🌲 tree|🌴 palm|🌱 seedling|🍀 clover|🌹 rose|🌻 sunflower|🌸 blossom|🍁 maple_leaf|🍄 mushroom
☀️ sun|🌤️ partly_sunny|☁️ cloud|🌧️ rain|⛈️ storm|❄️ snow|⚡ zap lightning|🔥 fire|💧 drop|🌊 ocean wave_water|🌈 rainbow|🌙 moon|⭐ star|🌟 glowing_star|✨ sparkles|🌍 earth globe
🚀 rocket ship_it|✈️ airplane|🚗 car|🚌 bus|🚲 bike|🚂 train|🚢 ship|🏠 house home|🏢 office|🏖️ beach|⛰️ mountain|🏥 hospital
💻 laptop computer|🖥️ desktop|📱 phone|⌨️ keyboard|🖨️ printer|💾 disk save|💿 cd|🔋 battery|🔌 plug|💡 bulb idea|🔦 flashlight|🔧 wrench|🔨 hammer|🛠️ tools|⚙️ gear|🔩 bolt|🧰 toolbox|🧲 magnet|🔬 microscope|🔭 telescope|📡 satellite antenna|🧪 test_tube|🔑 key|🔒 lock|🔓 unlock|🛡️ shield|🔔 bell|🔕 no_bell|📌 pin|📎 paperclip|✂️ scissors|📝 memo note_paper|✏️ pencil|📖 book|📚 books|📅 calendar|📈 chart_up|📉 chart_down|📊 bar_chart|📦 package|📬 mailbox|✉️ envelope mail|🗑️ trash|🔍 search magnifier|⏰ alarm|⏳ hourglass|⌛ time_up|💰 money|💎 gem|🧯 extinguisher|🚨 siren alert|🚧 construction
✅ check done|☑️ checked|❌ cross|❎ cross_box|❗ exclamation|❓ question|⚠️ warning|🚫 prohibited|⛔ no_entry|🔴 red_circle|🟠 orange_circle|🟡 yellow_circle|🟢 green_circle|🔵 blue_circle|🟣 purple_circle|⚫ black_circle|⚪ white_circle|➡️ arrow_right|⬅️ arrow_left|⬆️ arrow_up|⬇️ arrow_down|🔄 refresh|🔁 repeat|➕ plus|➖ minus|♻️ recycle|🆗 ok|🆕 new|🆘 sos|🏁 finish_flag|🚩 red_flag|🏳️ white_flag|🏴‍☠️ pirate`
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((entry) => entry.split(' ')));

const first = new Map(lines.flat().map(([char = '', ...names]) => [bare(char), names]));

export interface Group {
  name: string;
  items: Emoji[];
}

const loaded = new Map<string, Group[]>(); // by language

/** All emoji of Unicode but those with a skin tone, in its order, called and found as people do in a language. English
 * names find them in any. Without a network, if they were never loaded, it is the few that have a name here. */
export async function groupsIn(locale: string): Promise<Group[]> {
  const lang = new Intl.Locale(locale).language; // whatever the region
  const had = loaded.get(lang);
  if (had) return had;
  const german = lang === 'de' ? import('./emojidata/de.json') : undefined;
  try {
    const english: Data = (await import('./emojidata/en.json')).default;
    const local: Data = (await german)?.default ?? {};
    const groups = Object.entries(english).map(([name, all]) => {
      const called = local[name]?.split('|') ?? [];
      return { name, items: all.split('|').map((entry, i) => parse(entry, called[i])) };
    });
    loaded.set(lang, groups);
    return groups;
  } catch {
    return [{ name: 'smileys', items: lines.flat().map((entry) => parse(entry.join(' '))) }];
  }
}

type Data = Record<string, string>;

function parse(entry: string, called = ''): Emoji {
  const [head = '', words = ''] = entry.split('  ');
  const [char = '', ...theirs] = head.split(' ');
  const names = [...new Set([...(first.get(bare(char)) ?? []), ...theirs])] as [string, ...string[]];
  const [label, ...more] = called.split(';');
  return { char, names, label: label || names[0].replaceAll('_', ' '), words: [label, ...more, words].join(' ') };
}

/** How well a typed text fits an emoji: 0 is not at all. A name counts more than another word. */
export function fits(typed: string, e: Emoji): number {
  const name = Math.max(...e.names.map((n) => fit(typed, n)));
  const word = fit(typed, e.words) - 5;
  return Math.max(name >= 50 ? name : 0, word >= 60 ? word : 0);
}

const base = /\p{Emoji_Modifier_Base}\ufe0f?/gu;
const tones = ['', '🏻', '🏼', '🏽', '🏾', '🏿'];

/** The skin tones that one can choose, each as a hand; the first is none. */
export const hands = tones.map((tone) => `✋${tone}`);

/** An emoji in a skin tone, if it shows one person. */
export function toned(char: string, tone: number): string {
  const modifier = tones[tone];
  if (!modifier || char.match(base)?.length !== 1) return char;
  return char.replace(base, (person) => bare(person) + modifier);
}
