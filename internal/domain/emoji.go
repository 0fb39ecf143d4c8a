package domain

import (
	"strings"
	"unicode/utf8"
)

// What emoji are made of, by UTS #51.
const (
	asEmoji    = '\ufe0f' // shows the character before as an emoji; two emoji that differ in it only are the same
	keycap     = '\u20e3'
	joiner     = '\u200d' // zero width joiner
	blackFlag  = '\U0001f3f4'
	firstTone  = '\U0001f3fb'
	lastTone   = '\U0001f3ff'
	firstFlag  = '\U0001f1e6' // regional indicators: two of them are a flag
	lastFlag   = '\U0001f1ff'
	tagBase    = '\U000e0000' // tags are ASCII, moved up to here
	tagsEnd    = '\U000e007f'
	maxTagSize = 6 // of a region, as in gbeng
)

// lowEmoji are the emoji below U+10000 other than keycaps: Emoji=Yes in emoji-data.txt of Unicode.
const lowEmoji = "©®‼⁉™ℹ↔↕↖↗↘↙↩↪⌚⌛⌨⏏⏩⏪⏫⏬⏭⏮⏯⏰⏱⏲⏳⏸⏹⏺Ⓜ▪▫▶◀◻◼◽◾☀☁☂☃☄☎☑☔☕☘☝☠☢☣☦☪☮☯☸☹☺♀♂♈♉♊♋♌♍♎♏♐♑♒♓♟♠♣♥♦♨♻♾♿⚒⚓⚔⚕⚖⚗" +
	"⚙⚛⚜⚠⚡⚧⚪⚫⚰⚱⚽⚾⛄⛅⛈⛎⛏⛑⛓⛔⛩⛪⛰⛱⛲⛳⛴⛵⛷⛸⛹⛺⛽✂✅✈✉✊✋✌✍✏✒✔✖✝✡✨✳✴❄❇❌❎❓❔❕❗❣❤➕➖➗➡➰➿⤴⤵⬅⬆⬇⬛⬜⭐⭕〰〽㊗㊙"

// highEmoji are ranges of the others. Blocks that Unicode reserves for pictographs are in it as a whole, so
// that emoji of later versions are known.
var highEmoji = [][2]rune{
	{0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f170, 0x1f171}, {0x1f17e, 0x1f17f}, {0x1f18e, 0x1f18e},
	{0x1f191, 0x1f19a}, {0x1f201, 0x1f202}, {0x1f21a, 0x1f21a}, {0x1f22f, 0x1f22f}, {0x1f232, 0x1f23a},
	{0x1f250, 0x1f251}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7eb}, {0x1f7f0, 0x1f7f0},
	{0x1f90c, 0x1f9ff}, {0x1fa70, 0x1faff},
}

// CheckEmoji returns one emoji in the form in which it is compared and stored: without U+FE0F. It refuses
// what is not one emoji by the grammar of UTS #51 (a base with a skin tone, several of them joined, a flag, a
// keycap), and one of more than MaxEmoji bytes.
func CheckEmoji(pointer, s string) (string, error) {
	emoji := strings.ReplaceAll(s, string(asEmoji), "")
	if !utf8.ValidString(s) || !isEmoji(emoji) {
		return "", InvalidField(pointer, "send one emoji as Unicode has it, such as 👍; in a path it is percent-encoded")
	}
	if len(emoji) > MaxEmoji {
		return "", InvalidField(pointer, "an emoji has at most %d bytes; this one has %d", MaxEmoji, len(emoji))
	}
	return emoji, nil
}

// isEmoji reports whether s, which has no U+FE0F, is one emoji.
func isEmoji(s string) bool {
	r := []rune(s)
	switch {
	case len(r) == 2 && isKeycapBase(r[0]):
		return r[1] == keycap
	case len(r) == 2 && isFlagLetter(r[0]):
		return isFlagLetter(r[1])
	case len(r) > 2 && r[0] == blackFlag && r[1] > tagBase:
		return isTags(r[1:])
	}
	for {
		if len(r) == 0 || !isPictograph(r[0]) {
			return false
		}
		if r = r[1:]; len(r) > 0 && r[0] >= firstTone && r[0] <= lastTone {
			r = r[1:]
		}
		if len(r) == 0 {
			return true
		}
		if r[0] != joiner {
			return false
		}
		r = r[1:]
	}
}

func isKeycapBase(r rune) bool { return r >= '0' && r <= '9' || r == '#' || r == '*' }

func isFlagLetter(r rune) bool { return r >= firstFlag && r <= lastFlag }

// isTags reports whether r are the tags that name a region, and their end.
func isTags(r []rune) bool {
	last := len(r) - 1
	if last < 2 || last > maxTagSize || r[last] != tagsEnd {
		return false
	}
	for _, t := range r[:last] {
		if c := t - tagBase; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func isPictograph(r rune) bool {
	if r < 0x10000 {
		return r > utf8.RuneSelf && strings.ContainsRune(lowEmoji, r)
	}
	for _, in := range highEmoji {
		if r >= in[0] && r <= in[1] {
			return true
		}
	}
	return false
}
