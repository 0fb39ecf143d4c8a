package embed

import "unicode"

// The model was trained on Arabic, Chinese (in both scripts), Dutch, English, French, German, Italian, Japanese,
// Korean, Polish, Portuguese, Russian, Spanish, Thai and Turkish.

// scripts are those of these languages.
var scripts = []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Arabic, unicode.Han, unicode.Hiragana,
	unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Common, unicode.Inherited}

// foreign are letters of these scripts that only other languages have: Ukrainian, Belarusian, Serbian, Macedonian and
// Kazakh; Persian and Urdu; Vietnamese, Romanian, Latvian, Lithuanian, Czech, Slovak, Hungarian and Icelandic.
const foreign = "іїєґўјљњћђџѓќѕәғқңөұүһ" + "پچژگکیےٹڈڑں" + "ơưđ" + "ășțāēīūģķļņėįųčďěňřšťůžľĺŕőűðþ"

var foreignLetters = func() map[rune]bool {
	m := make(map[rune]bool)
	for _, r := range foreign {
		m[r] = true
	}
	return m
}()

// Trained reports whether a text may be in a language that the model was trained on. It judges by the letters: a text
// has at least two, all of scripts of these languages, and none that these languages do not have. So a language that
// writes like one of them, such as Finnish, passes.
func Trained(text string) bool {
	letters := 0
	for _, r := range text[:cut(text, maxText)] {
		if !unicode.IsLetter(r) {
			continue
		}
		lower := unicode.ToLower(r)
		if !unicode.In(r, scripts...) || foreignLetters[lower] || lower >= 0x1EA0 && lower <= 0x1EF9 { // Vietnamese
			return false
		}
		letters++
	}
	return letters >= 2
}
