package domain

import "time"

// A Counter counts failures of one thing: a name, a name from one address, a
// browser that was signed in before, a second factor.
type Counter struct {
	Hash   []byte // keyed, of what is counted
	Limit  int    // failures within Window that lock it
	Window time.Duration
	Lock   time.Duration // the first lock; each in a row is twice as long
	Most   time.Duration // longest lock
	Streak int           // failures in a row that lock it until somebody acts; 0: none
}

// Reserved is what a failure that is counted beforehand leads to.
type Reserved struct {
	Failures  int       // of the fullest counter, before this one
	Locked    time.Time // until when nothing may be tried; zero: may
	ForGood   bool      // locked until somebody acts
	Began     bool      // this reservation is the last one before a lock
	Unlocked  bool      // a lock had run out, and this is the first try since
	LockUntil time.Time // with Began: how long
}
