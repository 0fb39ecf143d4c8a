package domain

import "time"

// Limits of reactions.
const (
	MaxEmoji           = 35  // bytes of an emoji as it is stored
	MaxReactions       = 50  // different emoji on a message
	MaxReactionsOfUser = 20  // of them, those of one user
	MaxReactors        = 20  // users that are listed with each emoji of a message
	MaxReactorsListed  = 300 // users that are listed with all emoji of a message, so that it fits a frame
)

// Reactions are all reactions to a message.
type Reactions struct {
	Seq int64 // number of the last event that changed them; 0: there never was one, or they were not read
	All []Reaction
}

// Reaction is an emoji that users gave to a message.
type Reaction struct {
	Emoji string   // without U+FE0F, or the name of a CustomEmoji between colons: see CheckReaction
	Count int      // of the users
	Users []string // their ids, first given first; at most MaxReactors
	Mine  bool     // whoever asks is one of them; only where it is asked for
}

// Reactor is a user who reacted to a message.
type Reactor struct {
	User UserRef
	At   time.Time
	Seq  int64 // number of the event by which they did
}

// ReactionBy is a reaction of a user.
type ReactionBy struct {
	Room  string
	Seq   int64 // of the message
	Emoji string
	At    time.Time
}

// Reacting is what a user wants to change of the reactions to a message.
type Reacting struct {
	Room   string
	Seq    int64  // of the message
	Emoji  string // as CheckReaction returns it
	Remove bool   // take the reaction away, instead of adding it
}
