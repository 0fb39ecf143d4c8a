/** An emoji and the names it is found by; the first name is the one shown. */
export type Emoji = readonly [string, string, ...string[]];

// The few hundred that people use, by hand: all of Unicode's with names are 30 times the size.
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
  .map((line) => line.split('|').map((entry) => entry.split(' ') as unknown as Emoji));

const names = ['smileys', 'hearts', 'people', 'fun', 'food', 'nature', 'weather', 'places', 'things', 'signs'];

export const groups = lines.map((items, i) => ({ name: names[i] ?? '', items }));
export const emoji = lines.flat();
