package domain

import "time"

// Limits of outgoing webhooks.
const (
	MaxOutHooks       = 20     // that a room may have
	MaxHookURL        = 2048   // bytes of an address
	MaxHookWaiting    = 10_000 // deliveries of one that wait; older ones are dropped
	HookWaitingKept   = 7 * 24 * time.Hour
	MaxHookDelivered  = 100 // deliveries of one that have ended and are kept
	HookDeliveredKept = 7 * 24 * time.Hour
	MaxHookAnswer     = 512            // bytes that are kept of an answer
	HookSecretKept    = 24 * time.Hour // how long the secret before signs too, after it was replaced
)

// OutHook is an outgoing webhook: an address to which the server sends what happens in a room. In the room it is a
// member of its own, of kind bot, and exists as long as this membership.
type OutHook struct {
	ID         string // also that of the user that it is in the room
	Room       string
	User       UserRef // its name and its picture
	URL        string
	Types      []EventType // what is sent
	Programs   bool        // also what bots and webhooks do
	CreatedBy  UserRef     // who made it, or switched it on last
	CreatedAt  time.Time
	Generation int       // of its secret, from 1
	RotatedAt  time.Time // when the secret was replaced; zero: never
	Secret     string    // only known when it is made or replaced
	Off        HookOff   // why nothing is sent; empty: it is on
	SentAt     time.Time // when the receiver last took something; zero: never
	FailedAt   time.Time // since when it takes nothing; zero: it does
	Failure    string    // what was wrong last
	DueAt      time.Time // when it is tried next; zero: nothing waits
	Lease      time.Time // until when who has claimed it sends for it
	Waiting    int       // deliveries that wait
}

// HookOff says why an outgoing webhook sends nothing.
type HookOff string

// The reasons.
const (
	HookOffByAdmin HookOff = "admin"  // an admin of the room switched it off
	HookOffFailing HookOff = "failed" // its receiver has failed for days
	HookOffGone    HookOff = "gone"   // its receiver said that it has ended, by status 410
	HookOffLeft    HookOff = "left"   // whoever made it is in the room no more
)

// HookOffs are all reasons.
var HookOffs = []HookOff{HookOffByAdmin, HookOffFailing, HookOffGone, HookOffLeft}

// DeliveryState is how far a delivery of an outgoing webhook is.
type DeliveryState string

// The states. Those that are not DeliveryWaiting have ended.
const (
	DeliveryWaiting DeliveryState = "waiting"
	DeliveryDone    DeliveryState = "delivered"
	DeliveryFailed  DeliveryState = "failed"  // the receiver refused it, or it was tried once by hand
	DeliveryDropped DeliveryState = "dropped" // it waited for too long, or its event was deleted
)

// HookTest is the type of what is sent to try an outgoing webhook.
const HookTest EventType = "webhook.test"

// Delivery is one event that an outgoing webhook sends.
type Delivery struct {
	Hook     string
	ID       string // webhook-id: the same for each attempt
	Seq      int64  // of the event; 0: a test
	Type     EventType
	At       time.Time // of the event
	State    DeliveryState
	Manual   bool // somebody asked for it: it is tried once
	Tries    int
	TriedAt  time.Time     // when it was last tried; zero: never
	Duration time.Duration // of the last attempt
	Status   int           // of its answer; 0: there was none
	Answer   string        // the first bytes of it
	Failure  string        // what was wrong
}

// An Outcome is what became of an attempt to deliver.
type Outcome struct {
	State    DeliveryState // DeliveryWaiting: it is tried again
	Status   int
	Duration time.Duration
	Answer   string
	Failure  string    // empty: the receiver took it
	Again    time.Time // when the webhook goes on
	Off      HookOff   // it is switched off
}

// HookUsage says how outgoing webhooks are.
type HookUsage struct {
	Waiting      int             // deliveries that wait
	Late         time.Duration   // how long the one that is due for longest has been so
	Failing      int             // whose receivers take nothing at present
	FailingFor   time.Duration   // how long the receiver has taken nothing that has not for longest; 0: none fails
	Oldest       time.Duration   // age of the oldest event that waits for a receiver that does not fail; 0: none waits
	OldestFailed time.Duration   // the same for receivers that fail
	Off          map[HookOff]int // that are off, by the reason
}
