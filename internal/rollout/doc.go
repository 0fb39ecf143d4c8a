// Package rollout brings a release of firmware to devices in stages, and stops by itself when it does harm.
//
// Its engine is pure: Judge, Room, Best, StageOf, Reported, Progressed and Late are functions of what the store has
// and of the time. The service reads the store, asks them, and stores what they decide, in one transaction, so that
// any node may do it, and a restart at any moment changes nothing. docs/rollouts.md has the rules and where they are
// from.
package rollout
