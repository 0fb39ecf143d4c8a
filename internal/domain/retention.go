package domain

import "time"

// Retention limits what is kept of a room. A line of the timeline is purged once it is older
// than Days, or once there are Lines newer ones. Zero means no limit.
type Retention struct {
	Days  int `json:"days,omitempty"`  // 0: of any age
	Lines int `json:"lines,omitempty"` // 0: any number
}

// RoomRetention is a room's own choice of retention. Without one, the server's is used.
type RoomRetention struct {
	Own bool `json:"own,omitempty"`
	Retention
}

// RetentionRules are what administrators lay down for every room.
type RetentionRules struct {
	Default Retention // of rooms that have chosen nothing
	MinDays int       // nothing goes before; 0: no such bound
	MaxDays int       // nothing stays longer; 0: no such bound
}

const (
	// MaxRetentionDays and MaxRetentionLines bound what may be chosen.
	MaxRetentionDays  = 36500
	MaxRetentionLines = 100_000_000
	// MinRetention is how long everything is kept, whatever is chosen: a sender
	// whose acknowledgement was lost asks again with the same key, and is to find
	// its message.
	MinRetention = time.Hour
)

// Resolve returns the retention that applies to a room that chose k. Changed rules apply at
// once, also to earlier choices.
func (r RetentionRules) Resolve(k RoomRetention) Retention {
	keep := r.Default
	if k.Own {
		keep = k.Retention
	}
	if keep.Days > 0 {
		keep.Days = max(keep.Days, r.MinDays)
	}
	if r.MaxDays > 0 && (keep.Days == 0 || keep.Days > r.MaxDays) {
		keep.Days = r.MaxDays
	}
	return keep
}

// Check says whether a room may choose k.
func (r RetentionRules) Check(k RoomRetention) error {
	switch {
	case !k.Own:
		return nil
	case k.Days < 0 || k.Days > MaxRetentionDays:
		return InvalidField("/retention/days", "use 0, which keeps, to %d", MaxRetentionDays)
	case k.Lines < 0 || k.Lines > MaxRetentionLines:
		return InvalidField("/retention/lines", "use 0, which keeps, to %d", MaxRetentionLines)
	case k.Days > 0 && k.Days < r.MinDays:
		return InvalidField("/retention/days",
			"use %d or more: the administrators of this server want everything to be kept that long", r.MinDays)
	case r.MaxDays > 0 && (k.Days == 0 || k.Days > r.MaxDays):
		return InvalidField("/retention/days",
			"use 1 to %d: the administrators of this server want nothing to be kept longer", r.MaxDays)
	}
	return nil
}

// Cutoff returns the time before which lines are purged for their age; zero if there is no
// limit of age.
func (k Retention) Cutoff(now time.Time) time.Time {
	if k.Days == 0 {
		return time.Time{}
	}
	return now.Add(-max(days(k.Days), MinRetention))
}

// LineCutoff returns the time from which on lines are kept, however many newer ones there are.
func (r RetentionRules) LineCutoff(now time.Time) time.Time {
	return now.Add(-max(days(r.MinDays), MinRetention))
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// Purgeable is a room whose log may have events to purge.
type Purgeable struct {
	Room    string
	Deleted bool
	Floor   int64
	Head    int64
	Keep    RoomRetention
	Oldest  time.Time // of the first event that is kept
}

// PurgeStep says what one step may purge: the room's oldest events, as long as
// each is older than Before, or has a number up to UpTo and is older than LineCutoff.
type PurgeStep struct {
	Before     time.Time
	UpTo       int64
	LineCutoff time.Time
	Limit      int // events
}

// Matches reports whether an event is purged by this step.
func (p PurgeStep) Matches(seq int64, at time.Time) bool {
	return at.Before(p.Before) || seq <= p.UpTo && at.Before(p.LineCutoff)
}

// Purged is the result of a step.
type Purged struct {
	Floor  int64 // the last number that is gone
	Events int
	More   bool // perhaps: the limit ended the step
}

// StoreUsage is how much disk space the database takes.
type StoreUsage struct {
	Kind      string // sqlite or postgres
	Bytes     int64  // of the database, what is free in it included
	Free      int64  // of that, what the next messages will be written to; -1: unknown
	Log       int64  // bytes of the write-ahead log beside it; -1: unknown
	Shrinks   bool   // free room is given back to the disk
	DeadRows  int64  // PostgreSQL: rows that wait for autovacuum
	Unindexed int64  // events that the search index does not have yet
}

// RoomUsage is how much of a room is kept.
type RoomUsage struct {
	Events int64 // kept: messages, changes of them, and who came and went
	Text   int64 // bytes of texts, about: a sample of the room is measured
}

// EarlierText is what a message said before it was edited or, if the room was under
// a legal hold, before it was deleted: then it is kept for the record.
type EarlierText struct {
	Version   int // 0: the first text
	Text      string
	At        time.Time // when it was written
	DeletedBy UserRef   // zero, as the time: the message was edited, and is there
	DeletedAt time.Time
}
