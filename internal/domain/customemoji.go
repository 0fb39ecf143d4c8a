package domain

import (
	"strings"
	"time"
)

// Limits of emoji that people add to a server.
const (
	MaxCustomEmoji       = 1000 // of a server
	MaxCustomEmojiOfUser = 100  // of them, those that one user added
	EmojiSide            = 128  // pixels of their pictures, at most

	minEmojiName = 2
	maxEmojiName = 32 // with its colons it fits MaxEmoji
)

// A CustomEmoji is a picture that people added to the server to use as an emoji. Texts and reactions have its name
// between colons, and stay as they are once it is deleted.
type CustomEmoji struct {
	ID        string
	Name      string // see CheckEmojiName
	Picture   string // as User.Avatar
	By        UserRef
	CreatedAt time.Time
}

// CheckEmojiName returns the name of an emoji that people add, which they may write between colons and in capitals.
func CheckEmojiName(pointer, s string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	if len(name) > 2 && name[0] == ':' && name[len(name)-1] == ':' {
		name = name[1 : len(name)-1]
	}
	if !isEmojiName(name) {
		return "", InvalidField(pointer,
			"an emoji is named by %d to %d of these: a to z, 0 to 9, _, + and -, with _ at neither end",
			minEmojiName, maxEmojiName)
	}
	if standardEmoji[name] {
		return "", Conflict.Errorf(CodeEmojiTaken, "%q is the name of an emoji that everybody has; choose another one", name)
	}
	return name, nil
}

func isEmojiName(s string) bool {
	if len(s) < minEmojiName || len(s) > maxEmojiName || s[0] == '_' || s[len(s)-1] == '_' { // marks of Markdown
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '+' && c != '-' {
			return false
		}
	}
	return true
}

// CheckReaction returns an emoji as CheckEmoji does, or the name of one that people added, between colons.
func CheckReaction(pointer, s string) (string, error) {
	if _, ok := CustomEmojiName(s); ok {
		return s, nil
	}
	if strings.HasPrefix(s, ":") {
		return "", InvalidField(pointer, "an emoji of this server is written as its name between colons, such as :parrot:")
	}
	return CheckEmoji(pointer, s)
}

// CustomEmojiName returns the name in a reaction by an emoji that people added. ok is false if it is by another one.
func CustomEmojiName(reaction string) (name string, ok bool) {
	if len(reaction) < 2 || reaction[0] != ':' || reaction[len(reaction)-1] != ':' {
		return "", false
	}
	name = reaction[1 : len(reaction)-1]
	return name, isEmojiName(name)
}

// ErrNoEmoji is the answer to whoever names an emoji that the server does not have.
func ErrNoEmoji(name string) error {
	return NotFound.Errorf(CodeNoEmoji,
		"this server has no emoji :%s:; the list of its emoji has those that there are", name)
}

// ErrEmojiTaken is the answer to whoever adds an emoji by a name that another one has.
func ErrEmojiTaken(name string) error {
	return Conflict.Errorf(CodeEmojiTaken, "there is an emoji :%s: already; choose another name, or delete that one first",
		name)
}

// standardEmoji are the names by which the web client finds the emoji of Unicode.
var standardEmoji = func() map[string]bool {
	names := make(map[string]bool)
	for _, name := range strings.Fields(StandardEmojiNames) {
		names[name] = true
	}
	return names
}()

// StandardEmojiNames are the names of emoji that the web client knows, which no emoji that people add may have.
const StandardEmojiNames = `
+1 -1 airplane alarm alert alien angry antenna anxious apple arrow_down arrow_left arrow_right arrow_up art
astonished astronaut avocado baby balloon banana bandage bar_chart basketball battery beach bear bee beer bell
bike bird birthday black_circle black_heart blossom blue_circle blue_heart blush bolt book books boom bot brain
bread broken_heart bronze bug bulb burger bus butterfly cactus cake calendar call_me camera car cat cd
chart_down chart_up check checked cheers cheese chicken chocolate clap clapper cloud clover clown coder coffee
cold computer confetti confounded confused construction cookie cool cowboy croissant cross cross_box cry cursing
dance dart desktop detective devil diagonal_mouth dice disappointed disk dizzy dizzy_star dog dolphin done
dragon drool drop duck ear earth envelope exclamation expressionless extinguisher eye eye_roll eyes facepalm
fearful film fingers_crossed finish_flag fire first fish flashlight flushed fox fries frog frown game gear gem
ghost gift globe glowing_star gold green_circle green_heart grimace grin grinning guitar hammer hand handshake
happy headphones hear_no_evil heart heart_eyes hello holding_tears home hospital hot hourglass house hundred
hydra idea innocent joy key keyboard kiss laptop laugh laughing lightning lock love_you lying magnet magnifier
mail mailbox maple_leaf mask memo metal microphone microscope mind_blown minus money monkey monocle moon
mountain mouse muscle mushroom music nauseated nerd neutral new ninja no no_bell no_entry no_mouth noodles note
note_paper ocean octopus office ok ok_hand open_hands open_mouth orange_circle orange_heart owl package palm
panda paperclip partly_sunny party party_face peace pencil penguin pensive people person phone pin pirate pizza
pleading please plug plus point_down point_left point_right point_up poop popcorn pray printer prohibited
purple_circle purple_heart puzzle question rabbit rage rain rainbow raised_eyebrow raised_hands recycle
red_circle red_flag refresh relieved repeat robot rocket rofl rose running sad_relieved salute satellite save
scientist scissors scream search see_no_evil seedling shield ship ship_it shrug sick silver siren skull sleeping
slight_smile smile smile_cat smiling_hearts smirk snake sneeze snow sob soccer sos sparkles sparkling_heart
speak_no_evil speech squid star star_struck stop storm strawberry strong sun sunflower sunglasses sushi sweat
sweat_smile taco tada target tea tears technologist telescope test_tube thanks thermometer thinking thumbs_down
thumbs_up time_up tired toast tongue toolbox tools train trash tree triumph trophy turtle unicorn unlock
upside_down victory vomit walking warning wave wave_water weary whale white_circle white_flag white_heart wine
wink winking_tongue worried wow wrench writing yawn yellow_circle yellow_heart yes yum zany zap zzz`
