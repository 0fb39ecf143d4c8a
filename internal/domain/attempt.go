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

// Proof is what somebody has shown of who they are, as the store has to write it down.
// The commit that acts on it uses it up, all of it or nothing.
type Proof struct {
	Attempts [][]byte // hashes of counters: what they counted beforehand is forgotten
	TOTPStep int64    // of an authenticator app's code; 0: none was shown
	Recovery []byte   // hash of a recovery code; nil: none was shown
	Passkey  *Passkey // with its new counter; nil: none was shown
}

// RememberedUse is what a browser shows of being remembered: hashes of the secret that
// it has, and of the one that it is given.
type RememberedUse struct {
	ID         string
	Hash, Next []byte
}
